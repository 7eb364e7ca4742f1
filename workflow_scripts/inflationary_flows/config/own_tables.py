"""The user's own tables as typed models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from inflationary_flows.config.sources import Fractions, Source
from inflationary_flows.data.sample_tables import TARGET, SampleName
from inflationary_flows.data.tables import table_dimension
from inflationary_flows.errors import ConfigError, DataError
from inflationary_flows.fields import Number, Section, Text, Unique
from inflationary_flows.requirements import require_file

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


ColumnNames = Annotated[list[Text], Field(min_length=1), Unique("column")]


class Table(Source):
    """A table."""

    standardise: bool = Field(
        True,
        description="Whether the eigenbasis is that of columns divided by their standard deviation. Points stay in "
        "your units.",
    )
    fractions: Fractions = Field(default_factory=Fractions, description="Shares of rows of the splits.")
    keep_copies_together: bool = Field(
        False, description="Whether rows that are exact copies of each other come into one split."
    )
    missing: Literal["impute"] | None = Field(
        None,
        description="With impute, entries may be missing: rows without holes are trained on, and holes are imputed. "
        "By default they are refused.",
    )
    positive: ColumnNames | None = Field(
        None, description="Columns of numbers > 0, of whole ones >= 1: the flow works on their logarithm."
    )
    bounded: dict[Text, list[Number | None]] | None = Field(
        None,
        description="Columns between two numbers, [low, high], or [low, null]: the flow works on their logit, or the "
        "logarithm above low. Whole numbers include both.",
    )
    integer: ColumnNames | None = Field(
        None, description="Columns of whole numbers: the flow works on them plus noise, and returns whole numbers."
    )

    @property
    def transforming(self) -> str | None:
        """The key by which columns are positive, bounded or whole, or may be; None if all are real."""
        said = self.settings()
        return next((key for key in ("positive", "bounded", "integer") if key in said), None) or (
            "columns: auto" if said.get("columns") == "auto" else None
        )

    def check(self, where: str, study: Study) -> None:
        """The table has the columns."""
        try:
            table_dimension(self.settings())
        except DataError as problem:
            raise ConfigError(f"{where}: {problem.where}", problem.expected, problem.got, problem.hint) from problem
        super().check(where, study)


class FileTable(Table):
    """A table of your own."""

    path: Text = Field(..., description="The file, looked for beside the configuration first.")

    def check(self, where: str, study: Study) -> None:
        """The table is there, and has the columns."""
        require_file(self.path, f"{where}.path")
        super().check(where, study)


class ArrayTable(FileTable):
    """A table of your own without names of columns, which are then called x0, x1 and so on."""

    columns: Literal["auto"] | None = Field(
        None, description="With auto, kinds of columns of which nothing is said are recognised."
    )


class NpyTable(ArrayTable):
    """A table of your own in a file of NumPy."""

    kind: Literal["npy"] = Field(..., description="Kind of data set.")


class NpzTable(ArrayTable):
    """A table of your own in an archive of NumPy."""

    kind: Literal["npz"] = Field(..., description="Kind of data set.")
    array: Text | None = Field(None, description="The array to take; needed if the file holds several.")


class NamedColumns(Section):
    """Columns with names."""

    columns: ColumnNames | Literal["auto"] | None = Field(
        None,
        description="The columns to take; by default all but the label column and an index. So does auto, and "
        "recognises kinds of columns of which nothing is said.",
    )
    label_column: Text | None = Field(None, description="A column used to colour points, never to train.")


class NamedTable(NamedColumns, FileTable):
    """A table of your own with named columns."""


class TextTable(NamedTable):
    """A table of your own as text, whatever separates its entries, compressed or not."""

    kind: Literal["csv"] = Field(..., description="Kind of data set.")
    separator: Literal[",", ";", "|", "tab", "blank"] | None = Field(
        None, description="What separates entries; recognised if it is left out."
    )
    decimal: Literal[".", ","] | None = Field(None, description="The decimal sign; recognised if it is left out.")


class ParquetTable(NamedTable):
    """A table of your own in a parquet file."""

    kind: Literal["parquet"] = Field(..., description="Kind of data set.")


class WorkbookTable(NamedTable):
    """A table of your own in a workbook of Excel."""

    kind: Literal["xlsx"] = Field(..., description="Kind of data set.")
    sheet: Text | None = Field(None, description="The sheet to take; needed if several are not empty.")


class ScikitLearnTable(NamedColumns, Table):
    """A table that comes with scikit-learn."""

    kind: Literal["sklearn"] = Field(..., description="Kind of data set.")
    table: SampleName = Field(..., description="Its name.")
    label_column: Text | None = Field(TARGET, description="A column used to colour points, never to train.")
