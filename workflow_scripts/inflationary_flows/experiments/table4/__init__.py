"""The paper's table 4 and ours."""
