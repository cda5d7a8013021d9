"""The text of an info strip becomes values, as far as it says any."""

from datetime import date, time
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.capture import BurstSequence, MoonPhase
from okapia.pipeline.info_strip import InfoStrip, parse_info_strip
from okapia.pipeline.strip_clock import DateBasis
from okapia.pipeline.strip_weather import Measurement, Unit

C, F = Unit.CELSIUS, Unit.FAHRENHEIT
WRITTEN, EXIF, MONTH_FIRST = DateBasis.WRITTEN, DateBasis.EXIF, DateBasis.MONTH_FIRST

REAL_STRIPS = [
    InfoStrip(
        "2010-11-064:04:00AM M1/3 34°F\nUNIT03-CAM102 RECONYX",
        date=date(2010, 11, 6),
        date_basis=WRITTEN,
        time=time(4, 4),
        temperature=Measurement(34, F),
        camera_brand="reconyx",
        burst_sequence=BurstSequence(1, 3),
    ),
    InfoStrip(
        "2016-09-25 6:35:10 PMM 5/5 171F\nHC55O HYPERFIRE RECONYX",
        date=date(2016, 9, 25),
        date_basis=WRITTEN,
        time=time(18, 35, 10),
        temperature=Measurement(71, F),
        camera_brand="reconyx",
        camera_model="HC550 HYPERFIRE",
        burst_sequence=BurstSequence(5, 5),
    ),
    InfoStrip(
        "2022-06-089:22:00 AMT 0 80°F\nHF2 PRO COVERT RECONYX",
        date=date(2022, 6, 8),
        date_basis=WRITTEN,
        time=time(9, 22),
        temperature=Measurement(80, F),
        camera_brand="reconyx",
        camera_model="HF2 PRO COVERT",
    ),
    InfoStrip(
        "2016-01-28 15:1445 4℃ M 4/5\nAM100",
        date=date(2016, 1, 28),
        date_basis=WRITTEN,
        time=time(15, 14, 45),
        temperature=Measurement(4, C),
        burst_sequence=BurstSequence(4, 5),
    ),
    InfoStrip(
        "2016-04-16 03:52:280C M 2/5 +\nAM149",
        date=date(2016, 4, 16),
        date_basis=WRITTEN,
        time=time(3, 52, 28),
        temperature=Measurement(0, C),
        burst_sequence=BurstSequence(2, 5),
    ),
    InfoStrip(
        "Bushnell Cam3 84℉28℃ 06-30-2015 16:13:26",
        date=date(2015, 6, 30),
        date_basis=WRITTEN,
        time=time(16, 13, 26),
        temperature=Measurement(84, F),
        temperature_alt=Measurement(28, C),
        camera_brand="bushnell",
    ),
    InfoStrip(
        "30.36 inHg↑ 8 25℃ 02/25/202110:14AM CAMERA6B",
        date=date(2021, 2, 25),
        date_basis=WRITTEN,
        time=time(10, 14),
        temperature=Measurement(25, C),
        pressure=Measurement(30.36, Unit.INCHES_OF_MERCURY),
    ),
    InfoStrip(
        "832C 018\n12/14/2022 01:48PM",
        date=date(2022, 12, 14),
        date_basis=WRITTEN,
        time=time(13, 48),
        temperature=Measurement(32, C),
    ),
    InfoStrip(
        "MOULTRIE 33°C 30.32inHg 2020 011 10MAR2020 11:32 am",
        date=date(2020, 3, 10),
        date_basis=WRITTEN,
        time=time(11, 32),
        temperature=Measurement(33, C),
        pressure=Measurement(30.32, Unit.INCHES_OF_MERCURY),
        camera_brand="moultrie",
    ),
    InfoStrip(
        "Ltl Acorn 0009  051℉ 011℃ 12.30.2012 11:27:46",
        date=date(2012, 12, 30),
        date_basis=WRITTEN,
        time=time(11, 27, 46),
        temperature=Measurement(51, F),
        temperature_alt=Measurement(11, C),
        camera_brand="ltl acorn",
    ),
    InfoStrip(
        "5℃ 41℉ 2024/01/21 15:19:15 0007",
        date=date(2024, 1, 21),
        date_basis=WRITTEN,
        time=time(15, 19, 15),
        temperature=Measurement(5, C),
        temperature_alt=Measurement(41, F),
    ),
    InfoStrip(
        "270 JASON 024F -04C 01/21/2025 04:16:06",
        date=date(2025, 1, 21),
        date_basis=WRITTEN,
        time=time(4, 16, 6),
        temperature=Measurement(24, F),
        temperature_alt=Measurement(-4, C),
    ),
    InfoStrip(
        "DLCcovert.com 08-04-2010 08:43:15",
        date=date(2010, 8, 4),
        date_basis=MONTH_FIRST,
        time=time(8, 43, 15),
        camera_brand="covert",
    ),
]


@pytest.mark.parametrize("strip", REAL_STRIPS, ids=lambda strip: strip.raw_text)
def test_a_real_strip_gives_what_it_says_and_no_more(strip: InfoStrip) -> None:
    assert parse_info_strip(strip.raw_text.split("\n")) == strip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-02-28", date(2019, 2, 28)),
        ("2019/2/8", date(2019, 2, 8)),
        ("28.02.2019", date(2019, 2, 28)),
        ("02/28/19", date(2019, 2, 28)),
        ("28 Feb 2019", date(2019, 2, 28)),
        ("28FEBRUARY2019", date(2019, 2, 28)),
        ("Sept. 3rd, 2019", date(2019, 9, 3)),
        ("2O19-O2-l8", date(2019, 2, 18)),
        ("05/05/2019", date(2019, 5, 5)),
        ("31/02/2019 then 03/30/2019", date(2019, 3, 30)),
    ],
)
def test_a_date_that_can_be_read_in_one_way_is_read_so(text: str, expected: date) -> None:
    strip = parse_info_strip([text])

    assert (strip.date, strip.date_basis) == (expected, WRITTEN)


@pytest.mark.parametrize("text", ["03/04/2015", "03-04-2015", "03.04.2015", "3/4/15"])
def test_the_month_goes_first_when_nothing_tells(text: str) -> None:
    strip = parse_info_strip([text])

    assert (strip.date, strip.date_basis) == (date(2015, 3, 4), MONTH_FIRST)


def test_the_files_own_date_tells_which_number_is_the_day() -> None:
    strip = parse_info_strip(["03/04/2015"], captured_on=date(2015, 4, 3))

    assert (strip.date, strip.date_basis) == (date(2015, 4, 3), EXIF)


def test_the_files_own_date_replaces_none_that_is_printed() -> None:
    strip = parse_info_strip(["03/04/2015"], captured_on=date(2000, 1, 1))

    assert (strip.date, strip.date_basis) == (date(2015, 3, 4), MONTH_FIRST)
    assert parse_info_strip(["RECONYX"], captured_on=date(2000, 1, 1)).date is None


@pytest.mark.parametrize(
    "text", ["2020 011", "10 MARTIN 2020", "2019-13-01", "32/01/2019", "1999", "192.168.2.10"]
)
def test_other_numbers_are_no_date(text: str) -> None:
    assert parse_info_strip([text]).date is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09:17 PM", time(21, 17)),
        ("09:17PM", time(21, 17)),
        ("O9:l7pm", time(21, 17)),
        ("9:17 p.m.", time(21, 17)),
        ("12:05 AM", time(0, 5)),
        ("12:05 PM", time(12, 5)),
        ("13:05 PM", time(13, 5)),
        ("21：17：30", time(21, 17, 30)),  # noqa: RUF001 - what the reader gives for small colons
        ("9:17:30 CAM3", time(9, 17, 30)),
        ("10:46AMBER", time(10, 46)),
    ],
)
def test_a_time_becomes_one_of_24_hours(text: str, expected: time) -> None:
    assert parse_info_strip([text]).time == expected


@pytest.mark.parametrize("text", ["25:00", "12:60", "1:2", "16:1135°F", "CAM 0917"])
def test_other_numbers_are_no_time(text: str) -> None:
    assert parse_info_strip([text]).time is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12°C", Measurement(12, C)),
        ("12ºC", Measurement(12, C)),
        ("12oC", Measurement(12, C)),
        ("12C", Measurement(12, C)),
        ("120C", Measurement(12, C)),
        ("670F", Measurement(67, F)),
        ("①71F", Measurement(71, F)),
        ("−7°C", Measurement(-7, C)),  # noqa: RUF001 - a minus sign
        ("100F", Measurement(100, F)),
    ],
)
def test_a_temperature_survives_what_readers_do_to_it(text: str, expected: Measurement) -> None:
    assert parse_info_strip([text]).temperature == expected


@pytest.mark.parametrize("text", ["CAM3C", "CAM-3C", "3 CAMERAS", "999F", "860F", "99999C", "30.32 C", "C"])
def test_what_is_no_temperature_or_two_at_once_gives_none(text: str) -> None:
    assert parse_info_strip([text]).temperature is None


def test_a_second_temperature_in_the_same_unit_is_no_other_reading() -> None:
    strip = parse_info_strip(["20C 30C"])

    assert (strip.temperature, strip.temperature_alt) == (Measurement(20, C), None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("M 1/3", BurstSequence(1, 3)),
        ("M l/3", BurstSequence(1, 3)),
        ("9/10", BurstSequence(9, 10)),
        ("2 of 5", BurstSequence(2, 5)),
        ("T", None),
        ("3/2", None),
        ("0/5", None),
        ("1/2/3", None),
    ],
)
def test_a_burst_counts_from_one_to_its_length(text: str, expected: BurstSequence | None) -> None:
    assert parse_info_strip([text]).burst_sequence == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1013 hPa", Measurement(1013, Unit.HECTOPASCAL)),
        ("1013mb", Measurement(1013, Unit.MILLIBAR)),
        ("29,92 lnHg", Measurement(29.92, Unit.INCHES_OF_MERCURY)),
        ("760 mmHg", Measurement(760, Unit.MILLIMETRES_OF_MERCURY)),
        ("101.3 kPa", Measurement(101.3, Unit.KILOPASCAL)),
        ("512 MBYTES", None),
    ],
)
def test_pressure_keeps_its_unit(text: str, expected: Measurement | None) -> None:
    assert parse_info_strip([text]).pressure == expected


@pytest.mark.parametrize("text", ["RH 45%", "RH:45 %", "Humidity 45%", "45% RH"])
def test_humidity_is_a_percentage_that_is_called_so(text: str) -> None:
    assert parse_info_strip([text]).humidity == Measurement(45, Unit.PERCENT)


@pytest.mark.parametrize("text", ["45%", "BAT 45%", "animal: 3%", "RH 145%"])
def test_other_percentages_are_no_humidity(text: str) -> None:
    assert parse_info_strip([text]).humidity is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Full Moon", MoonPhase.FULL_MOON),
        ("WAXINGCRESCENT", MoonPhase.WAXING_CRESCENT),
        ("3rd quarter", MoonPhase.LAST_QUARTER),
        ("CARD FULL", None),
        ("●", None),
    ],
)
def test_a_moon_phase_is_one_that_is_named(text: str, expected: MoonPhase | None) -> None:
    assert parse_info_strip([text]).moon_phase is expected


@pytest.mark.parametrize(
    ("text", "brand", "model"),
    [
        ("BECONYX", "reconyx", None),
        ("HC5OO HYPERFIRE", "reconyx", "HC500 HYPERFIRE"),
        ("HYPERFIRE2COVERT", "reconyx", "HYPERFIRE 2 COVERT"),
        ("COVERT RIDGE RECONYX", "reconyx", None),
        ("COVERT", "covert", None),
        ("Stealth Cam", "stealth cam", None),
        ("BUSHNELL TROPHY CAM HD", "bushnell", "TROPHY CAM HD"),
        ("BTC-5HDP", "browning", "BTC-5HDP"),
        ("SPEC OPS", "browning", "SPEC OPS"),
        ("CAMERA 7", None, None),
        ("ACORN RIDGE", None, None),
    ],
)
def test_a_maker_or_a_model_is_known_by_name(text: str, brand: str | None, model: str | None) -> None:
    strip = parse_info_strip([text])

    assert (strip.camera_brand, strip.camera_model) == (brand, model)


def test_no_text_gives_no_values() -> None:
    assert parse_info_strip([]) == InfoStrip("")


@given(st.lists(st.text() | st.from_regex(r"[\dOIl|:/.\-°℃CFAPM% ]{0,30}"), max_size=5))
def test_no_text_makes_it_raise(rows: list[str]) -> None:
    strip = parse_info_strip(rows)

    assert strip.raw_text == "\n".join(rows)
    assert (strip.date is None) == (strip.date_basis is None)
    assert strip.temperature is not None or strip.temperature_alt is None


@pytest.mark.parametrize("piece", ["1/", "|/", "1:", "12-", "8O", "8", " ", "MAR", "RH", "°C", "①"])
def test_100_kb_of_one_thing_do_not_hold_up_the_parser(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = process_time()

    strip = parse_info_strip([text])

    assert strip.date is None
    assert process_time() - started < 10  # about 0.3 s; minutes where a pattern backtracks


@given(st.dates(date(1970, 1, 1), date(2099, 12, 31)), st.times().map(lambda t: t.replace(microsecond=0)))
def test_what_cameras_print_comes_back(day: date, clock: time) -> None:
    twelve = clock.strftime("%I:%M:%S %p")

    reconyx = parse_info_strip([f"{day} {twelve} M 1/3 20°C"])
    moultrie = parse_info_strip([f"20°C 29.92inHg {day.strftime('%d %b %Y').upper()} {clock}"])

    assert (reconyx.date, reconyx.time) == (day, clock)
    assert (moultrie.date, moultrie.time) == (day, clock)
