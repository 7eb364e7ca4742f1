r"""Shells of latents that carry their own topology: closed polygons in two dimensions, triangle meshes in three.

Only the vertices of a shell move with the flow. The winding number decides what is inside: a folded shell has no inside
where its folds cancel, and no shape is fitted to the moved points.

    w(p) = (1 / 2 pi) sum of the signed angles that the edges subtend at p            (polygon)
    w(p) = (1 / 4 pi) sum of the signed solid angles that the triangles subtend at p  (mesh; Jacobson et al., 2013)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from inflationary_flows.errors import DataError
from inflationary_flows.extras import needs

with needs("shells", "metrics"):
    import igl

# Rows of points compared with all edges at once.
_CHUNK_ELEMENTS = 2**22


@dataclass(frozen=True)
class Shell:
    """A closed curve or surface.

    Attributes:
        vertices: Positions, shape (m, D).
        faces: Indices of vertices: ordered edges, shape (m, 2), or outward triangles, shape (k, 3).
    """

    vertices: np.ndarray
    faces: np.ndarray

    def moved(self, vertices: np.ndarray) -> Shell:
        """The same topology with its vertices elsewhere."""
        return replace(self, vertices=vertices)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether points, shape (n, D), lie inside: the winding number is not zero."""
        if self.vertices.shape[1] == 2:
            return winding_number(self.vertices, points) != 0
        solid = igl.fast_winding_number(
            np.ascontiguousarray(self.vertices, dtype=np.float64),
            np.ascontiguousarray(self.faces, dtype=np.int64),
            np.ascontiguousarray(points, dtype=np.float64),
        )
        return np.abs(np.asarray(solid)) > 0.5


def sphere(dimension: int, radius: float, vertices: int) -> Shell:
    """A circle of that many vertices, or an icosphere of at least as many.

    Raises:
        DataError: in other dimensions than two and three.
    """
    if dimension == 2:
        angle = 2 * math.pi * np.arange(vertices) / vertices
        edges = np.stack([np.arange(vertices), (np.arange(vertices) + 1) % vertices], 1)
        return Shell(radius * np.stack([np.cos(angle), np.sin(angle)], 1), edges)
    if dimension == 3:
        points, triangles = icosahedron()
        while len(points) < vertices:
            points, triangles = subdivided(points, triangles)
        return Shell(radius * points, triangles)
    raise DataError("shells", "2 or 3 dimensions", str(dimension), "choose a data set that can be drawn")


def icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """Vertices on the unit sphere, shape (12, 3), and outward triangles, shape (20, 3)."""
    golden = (1 + math.sqrt(5)) / 2
    corners = [(0.0, s, t * golden) for s in (-1, 1) for t in (-1, 1)]
    points = np.array([np.roll(corner, shift) for shift in range(3) for corner in corners])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    edge = distance[distance > 1e-9].min() * 1.01
    triangles = []
    for i in range(12):
        for j in range(i + 1, 12):
            for k in range(j + 1, 12):
                if max(distance[i, j], distance[j, k], distance[i, k]) < edge:
                    outward = np.linalg.det(points[[i, j, k]]) > 0
                    triangles.append((i, j, k) if outward else (i, k, j))
    return points, np.array(triangles)


def subdivided(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every triangle cut into four, new vertices put on the unit sphere."""
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    middle = points[unique].mean(1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    a, b, c = (len(points) + inverse.reshape(-1, 3)).T
    i, j, k = triangles.T
    parts = [(i, a, c), (a, j, b), (c, b, k), (a, b, c)]
    return np.concatenate([points, middle]), np.concatenate([np.stack(part, 1) for part in parts])


def winding_number(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Winding numbers of a closed polygon, shape (m, 2), around points, shape (n, 2): integers, shape (n,).

    The count of signed crossings of the ray to the right of each point is exact.
    """
    x, y = polygon.T
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    result = np.empty(len(points), dtype=np.int64)
    rows = max(1, _CHUNK_ELEMENTS // max(1, len(polygon)))
    for first in range(0, len(points), rows):
        px, py = points[first : first + rows, :1], points[first : first + rows, 1:]
        # Half-open edges: a vertex at the height of the point is counted once.
        up, down = (y <= py) & (y_next > py), (y > py) & (y_next <= py)
        side = (x_next - x) * (py - y) - (px - x) * (y_next - y)
        result[first : first + rows] = (up & (side > 0)).sum(1) - (down & (side < 0)).sum(1)
    return result
