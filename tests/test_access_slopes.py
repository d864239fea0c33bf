"""Slopes: heights read along the streets, and what they do to walking and cycling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from access_world import KM_LAT, RESIDENTIAL, World, grid_town, travel, write
from bourg.access.network import elevation
from bourg.access.network.build import build_network
from bourg.access.network.elevation import bike_factor, foot_factor
from bourg.access.network.errors import ElevationError
from bourg.access.network.settings import rule


def raster(path: Path, north_rise: float, *, hole: bool = False) -> Path:
    """An ESRI ASCII grid in degrees whose height grows northwards, as RGE ALTI is written."""
    size, step = 240, 0.0001
    rows = []
    for i in range(size):
        height = (size - 1 - i) * step / KM_LAT * 1000 * north_rise
        rows.append(" ".join("-99999" if hole and j > size // 2 else f"{height:.4f}" for j in range(size)))
    head = f"ncols {size}\nnrows {size}\nxllcorner 1.998\nyllcorner 46.998\ncellsize {step}\nNODATA_value -99999\n"
    path.write_text(head + "\n".join(rows) + "\n", encoding="ascii")
    return path


def test_slopes_slow_walking_and_cycling_in_each_direction(tmp_path: Path) -> None:
    world = World.at((0, 0), (0, 1), (0.5, 0))
    world.way([1, 2], RESIDENTIAL)
    world.way([1, 3], RESIDENTIAL)
    path = write(tmp_path / "a.osm", world.xml().encode())
    network = build_network([path], tmp_path / "net", elevation=raster(tmp_path / "alti.asc", 0.08))
    assert network.manifest["elevation"]["unknown_samples"] == 0
    up, flat = ((world.place(1), world.place(2)), (world.place(1), world.place(3)))
    for mode, model in (("foot", foot_factor), ("bike", bike_factor)):
        kmh = {"foot": 5, "bike": 15}[mode]
        assert travel(network, mode, *up) == pytest.approx(3600 / kmh * float(model(np.array([0.08]))[0]), rel=0.01)
        assert travel(network, mode, *up[::-1]) == pytest.approx(
            3600 / kmh * float(model(np.array([-0.08]))[0]), rel=0.01
        )
        assert travel(network, mode, *flat) == pytest.approx(1800 / kmh, rel=0.01)
    assert travel(network, "car", *up) == pytest.approx(3600 / 30, rel=0.01)


def test_unknown_heights_are_flat_and_counted(tmp_path: Path) -> None:
    world = World.at((1, 0), (1, 1))
    world.way([1, 2], RESIDENTIAL)
    path = write(tmp_path / "a.osm", world.xml().encode())
    network = build_network([path], tmp_path / "net", elevation=raster(tmp_path / "alti.asc", 0.08, hole=True))
    assert network.manifest["elevation"]["unknown_samples"] == network.manifest["elevation"]["samples"] > 0
    assert "tenue pour plate" in network.manifest["warnings"][0]
    assert travel(network, "foot", world.place(1), world.place(2)) == pytest.approx(720, rel=1e-3)
    with pytest.raises(ElevationError):
        build_network([path], tmp_path / "net", elevation=write(tmp_path / "bad.tif", b"not a raster"))
    with pytest.raises(ElevationError):
        build_network([path], tmp_path / "net", elevation=tmp_path / "absent.tif")


def test_heights_are_read_by_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = raster(tmp_path / "alti.asc", 0.08)
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(1.997, 2.023, 400), rng.uniform(46.997, 47.023, 400)
    whole = elevation.read_heights(path, lon, lat)
    monkeypatch.setattr(elevation, "_BLOCK", 32)
    np.testing.assert_array_equal(whole, elevation.read_heights(path, lon, lat))
    outside = (lon < 1.998) | (lon > 2.022) | (lat < 46.998) | (lat > 47.022)
    np.testing.assert_array_equal(np.isnan(whole), outside)
    inner = (lat > 46.9981) & (lat < 47.0219) & ~outside
    expected = (lat - 46.99805) / KM_LAT * 1000 * 0.08
    np.testing.assert_allclose(whole[inner], expected[inner], atol=0.01)


def test_a_raster_in_unknown_coordinates_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.osm", grid_town(3).xml().encode())
    grid = tmp_path / "alti.asc"
    grid.write_text("ncols 2\nnrows 2\nxllcorner 500\nyllcorner 900\ncellsize 5\n1 2\n3 4\n", encoding="ascii")
    with pytest.raises(ElevationError, match="système de coordonnées"):
        build_network([path], tmp_path / "net", elevation=grid)


def test_slope_models() -> None:
    # Tobler: 6 km/h at −5 %, 5.04 on the flat.
    assert float(foot_factor(np.zeros(1))[0]) == 1
    assert float(foot_factor(np.array([-0.05]))[0]) == pytest.approx(np.exp(-3.5 * 0.05))
    slopes = np.linspace(-0.3, 0.3, 61)
    bike = bike_factor(slopes)
    assert (np.diff(bike) >= -1e-9).all()
    assert bike_factor(np.zeros(1)) == pytest.approx(1, rel=1e-6)
    settings = rule("slope")["bike"]
    assert bike.max() == pytest.approx(settings["reference_kmh"] / settings["pushing_kmh"])
    assert bike.min() == pytest.approx(1 / settings["downhill_factor"])
