"""Options declared once: checks, plain settings, command line, help and config files."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.cli.parser import build, make_parser, parse
from drive.core.errors import InputError
from drive.core.options import (
    Config,
    OptionError,
    above,
    aliases,
    at_least,
    between,
    command_line,
    fields_of,
    from_below,
    option,
)


@dataclass(frozen=True, kw_only=True)
class CameraOptions(Config):
    group, place = "camera options", 1

    height_m: float | None = option(None, "height in metres", flag="--camera-height", metavar="M")
    fov_deg: float = option(70.0, "field of view", flag="--fov", check=above(0, 180))


@dataclass(frozen=True)
class FilmConfig(CameraOptions):
    """Every kind of option."""

    summary = "Film something."
    example = "film a.mp4"
    rare = ("fov_deg",)

    title: str = option(help="the title", metavar="TITLE", positional=True)
    sources: tuple[str, ...] = option((), "videos", metavar="SOURCE", positional=True)
    _: KW_ONLY
    frames: int = option(40, "number of frames", metavar="N", check=at_least(1))
    style: str = option("plain", "look", choices=("plain", "bold"))
    audio: bool = option(True, "do not keep the audio")
    loop: bool = option(False, "repeat")
    mirror: bool | None = option(None, "turn images over")
    labels: tuple[str, ...] | None = option(None, "two names", metavar=("A", "B"))
    tiles: str | None = option(None, "parts", metavar="N|CxR", bare="auto")
    quality: float = option(0.5, "of the encoder", check=between(0, 1), advanced=True)


def parsed(*arguments: str) -> FilmConfig:
    parser = make_parser("drive film", FilmConfig)
    return build(FilmConfig, parse(parser, FilmConfig, arguments))


def test_a_config_has_its_values_in_plain_forms() -> None:
    config = FilmConfig("a", [Path("b.mp4"), "c.mp4"], fov_deg=60, labels=["x", "y"])  # type: ignore[arg-type]
    assert config.sources == ("b.mp4", "c.mp4")
    assert config.fov_deg == 60.0 and isinstance(config.fov_deg, float)
    assert config.labels == ("x", "y")
    assert FilmConfig("a", "b.mp4").sources == ("b.mp4",)  # type: ignore[arg-type]
    assert FilmConfig("a", style="plain").changed() == {"title": "a"}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"frames": 0}, "frames must be at least 1; got 0"),
        ({"frames": 2.5}, "frames must be a whole number; got 2.5"),
        ({"frames": True}, "frames must be a whole number; got true"),
        ({"frames": None}, "frames must be given; got None"),
        ({"fov_deg": "wide"}, "fov_deg must be a number; got 'wide'"),
        ({"fov_deg": 200}, "fov_deg must be above 0 and at most 180; got 200"),
        ({"quality": float("nan")}, "quality must be a finite number; got nan"),
        ({"style": "fancy"}, "style must be one of plain, bold; got 'fancy'"),
        ({"audio": 1}, "audio must be true or false; got 1"),
        ({"height_m": float("inf")}, "height_m must be a finite number; got inf"),
        ({"frames": float("inf")}, "frames must be a whole number; got inf"),
        ({"labels": (1.5, 2)}, "labels must be text; got 1.5"),
        ({"style": 5}, "style must be text; got 5"),
        ({"tiles": []}, "tiles must be text; got []"),
        ({"tiles": [None]}, "tiles must be text; got [None]"),
        ({"sources": [0.5]}, "sources must be text; got 0.5"),
        ({"sources": {"a": 1}}, "sources must be text; got a table"),
        ({"sources": b"a.mp4"}, "sources must be text; got b'a.mp4'"),
        ({"sources": "a\0.mp4"}, r"sources must be text without null bytes; got 'a\x00.mp4'"),
    ],
)
def test_invalid_values_from_python_name_the_field(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError) as caught:
        FilmConfig("a", **wrong)
    assert str(caught.value) == text


def test_numbers_of_numpy_and_whole_floats_become_numbers_of_python() -> None:
    config = FilmConfig("a", frames=np.int64(2), quality=np.float32(0.5))  # type: ignore[arg-type]
    assert (config.frames, config.quality) == (2, 0.5)
    assert (type(config.frames), type(config.quality)) == (int, float)
    whole = FilmConfig("a", frames=1e3).frames  # type: ignore[arg-type]
    assert whole == 1000 and type(whole) is int


def test_numbers_stand_for_texts_with_several_forms_and_for_cameras() -> None:
    config = FilmConfig("a", 0, tiles=2)  # type: ignore[arg-type]
    assert (config.sources, config.tiles) == (("0",), "2")
    assert FilmConfig("a", tiles=(1, "2")).tiles == "1,2"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (at_least(2), [2, 9], [1, float("nan")]),
        (above(0), [0.1], [0, float("nan")]),
        (above(0, 5), [5], [0, 5.1]),
        (between(0, 1), [0, 1], [-0.1, 1.1, float("nan")]),
        (from_below(0, 1), [0, 0.9], [1, -0.1]),
    ],
)
def test_checks(check: Any, good: list[float], bad: list[float]) -> None:
    assert [check(value) for value in good] == [None] * len(good)
    assert all(check(value).startswith("must be ") for value in bad)


def test_the_command_line_reads_every_kind_of_option() -> None:
    config = parsed(
        *("t", "a.mp4", "b.mp4", "--frames", "3", "--style", "bold", "--no-audio", "--loop"),
        *("--no-mirror", "--labels", "x", "y", "--tiles", "--camera-height", "1.5"),
    )
    assert (config.title, config.sources) == ("t", ("a.mp4", "b.mp4"))
    assert (config.frames, config.style, config.audio, config.loop) == (3, "bold", False, True)
    assert (config.mirror, config.labels, config.tiles) == (False, ("x", "y"), "auto")
    assert config.height_m == 1.5
    assert parsed("t") == FilmConfig("t")
    assert parsed("t", "--mirror").mirror is True


def test_the_command_line_names_the_option() -> None:
    with pytest.raises(InputError, match=r"^--fov must be above 0 and at most 180; got 0$"):
        parsed("t", "--fov", "0")
    with pytest.raises(InputError, match=r"^TITLE is missing: the title$"):
        parsed()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--frames", "many"], "--frames must be a whole number; got 'many'"),
        (["--style", "fancy"], "--style must be one of plain, bold; got 'fancy'"),
        (
            ["--frames"],
            "--frames requires a value (write one that starts with - as --frames=VALUE)",
        ),
        (["--labels", "x"], "--labels requires 2 values. See drive film --help"),
        (["--frame", "3"], "unknown option --frame. Did you mean --frames? See drive film --help"),
        (
            ["--labels", "x", "y", "z"],
            "unexpected argument 'z' (write arguments before the options). See",
        ),
    ],
)
def test_invalid_words_take_one_line(words: list[str], text: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed("t", "a.mp4", *words)
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


def test_command_line_is_what_parses_to_the_same_config() -> None:
    assert command_line("film", FilmConfig("t")) == ["drive", "film", "t"]
    config = FilmConfig(
        "t",
        ("a.mp4",),
        frames=3,
        audio=False,
        loop=True,
        mirror=False,
        labels=("x", "y"),
        tiles="-5,2",
        height_m=1.5,
    )
    assert parsed(*command_line("film", config)[2:]) == config


def test_settings_are_read_by_field_flag_and_negation() -> None:
    config = FilmConfig("t", height_m=1.5, audio=False)
    assert FilmConfig.from_settings(config.settings()) == config
    old = {"title": "t", "camera-height": 1.5, "no_audio": True, "mirror": None}
    assert FilmConfig.from_settings(old) == config
    assert FilmConfig.from_settings({"title": "t", "no_audio": False}).audio is True
    with pytest.raises(InputError, match=r"run\.json: unknown option 'colour'"):
        FilmConfig.from_settings({"title": "t", "colour": 1}, "run.json")


def test_aliases_of_a_field_are_its_name_and_its_flag() -> None:
    known = aliases(FilmConfig)
    assert known["camera_height"] == known["height_m"] == ("height_m", False)
    assert known["audio"] == ("audio", False)
    assert known["no_audio"] == ("audio", True)


def test_help_hides_the_advanced_options_and_help_all_shows_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = []
    for option_ in ("--help", "--help-all"):
        with pytest.raises(SystemExit, match="0"):
            parsed(option_)
        texts.append(capsys.readouterr().out)
    short, full = texts
    assert "--help-all" in short and "--help-all" not in full
    for rare in ("--quality", "--fov"):
        assert rare not in short and rare in full
    assert "usage: drive film [OPTION ...] TITLE [SOURCE ...]" in short
    assert "number of frames (default: 40)" in short
    assert short.index("arguments:") < short.index("--frames") < short.index("camera options:")
    assert parsed("t", "--quality", "1").quality == 1  # hidden, not gone


def test_a_config_file_gives_values_and_the_command_line_takes_precedence(tmp_path: Path) -> None:
    file = tmp_path / "film.toml"
    file.write_text('frames = 7\nno-audio = true\nlabels = ["x", "y"]\ntiles = [1, 2]\nfov = 60\n')
    config = parsed("t", "--config", str(file), "--frames", "9")
    assert (config.frames, config.audio, config.fov_deg) == (9, False, 60)
    assert (config.labels, config.tiles) == (("x", "y"), "1,2")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("colour = 1", "unknown option 'colour'"),
        ("frames = 0", "frames must be at least 1; got 0"),
        ("no-audio = 'yes'", "no-audio must be true or false; got 'yes'"),
        ("style = 'fancy'", "style must be one of plain, bold; got 'fancy'"),
        ("frames =", "TOML"),
    ],
)
def test_an_invalid_config_file_is_named(tmp_path: Path, content: str, text: str) -> None:
    file = tmp_path / "film.toml"
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        parsed("t", "--config", str(file))
    assert text in str(caught.value)
    assert str(file) in str(caught.value)


def test_rare_fields_of_a_base_are_advanced_in_this_command_only() -> None:
    def advanced(config: type[Config]) -> set[str]:
        return {each.name for each in fields_of(config) if each.option.advanced}

    assert advanced(CameraOptions) == set()
    assert advanced(FilmConfig) == {"fov_deg", "quality"}
