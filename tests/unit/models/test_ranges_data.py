"""The two hand-written tables of ranges: regions of the world, and where each taxon occurs wild."""

import csv
from importlib.resources import files

import pytest

from okapia.domain.taxonomy import Key
from okapia.models.ranges import Area, builtin_ranges
from okapia.models.taxa import builtin_taxonomy, class_taxa

# ISO 3166-1 alpha-3, all 249 officially assigned codes, and the user-assigned XKX for Kosovo.
COUNTRIES_TEXT = """
ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS
BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV
CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM
GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN
IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE
LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS
MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK
PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR
SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY
USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
XKX
"""
COUNTRIES = frozenset(COUNTRIES_TEXT.split())

RANGES = builtin_ranges()
TAXA_BY_NAME = {taxon.scientific_name.lower(): taxon for taxon in builtin_taxonomy()}


def rows() -> list[dict[str, str]]:
    text = (files("okapia.models") / "labels" / "ranges.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


def key_of(row: dict[str, str]) -> Key:
    return (row["class"], row["order"], row["family"], row["genus"], row["species"])


def higher(key: Key) -> list[Key]:
    filled = sum(1 for part in key if part)
    cut = [(*key[:place], *[""] * (5 - place)) for place in range(1, filled)]
    return [(parts[0], parts[1], parts[2], parts[3], parts[4]) for parts in cut]


def countries_of(name: str) -> Area:
    area = RANGES.allowed(TAXA_BY_NAME[name].key)
    return RANGES.world if area is None else area


def test_the_list_of_countries_is_complete() -> None:
    assert len(COUNTRIES) == 250


def test_the_regions_cover_the_world_and_name_no_other_country() -> None:
    assert sorted(RANGES.world ^ COUNTRIES) == []


def test_every_range_is_of_a_known_taxon_under_its_common_name() -> None:
    names = {taxon.key: taxon.common_name for taxon in builtin_taxonomy()}

    assert [row for row in rows() if names.get(key_of(row)) != row["common_name"]] == []


def test_ranges_are_sorted_as_the_taxa_are() -> None:
    keys = [key_of(row) for row in rows()]

    assert keys == sorted(keys)


def test_every_species_and_genus_that_a_class_names_has_a_row() -> None:
    with_row = {key_of(row) for row in rows()}
    named = {taxon.key for taxon in class_taxa("imagenet-animals.csv").by_class.values() if taxon.genus}

    assert named - with_row == set()


def test_a_taxon_lives_in_no_country_that_a_higher_one_is_fenced_out_of() -> None:
    outside = [
        (key, above, sorted(countries - RANGES.areas[above]))
        for key in map(key_of, rows())
        for above in higher(key)
        if above in RANGES.areas and (countries := RANGES.areas.get(key, RANGES.world)) - RANGES.areas[above]
    ]

    assert outside == []


def test_every_range_that_is_everywhere_says_why() -> None:
    assert [row["common_name"] for row in rows() if row["where"] == "everywhere" and not row["note"]] == []


def test_only_extinct_animals_live_nowhere() -> None:
    nowhere = {";".join(key).strip(";") for key, area in RANGES.areas.items() if not area}

    assert nowhere == {
        "reptilia;ornithischia",
        "reptilia;ornithischia;ceratopsidae",
        "reptilia;ornithischia;ceratopsidae;triceratops",
        "trilobita",
    }


@pytest.mark.parametrize(
    "name",
    [
        "canis familiaris",
        "felis catus",
        "bos taurus",
        "equus caballus",
        "ovis aries",
        "sus scrofa scrofa",
        "bubalus bubalis",
        "lama glama",
        "camelus dromedarius",
        "cavia porcellus",
        "gallus gallus domesticus",
        "homo sapiens",
    ],
)
def test_people_and_their_animals_are_everywhere(name: str) -> None:
    assert RANGES.allowed(TAXA_BY_NAME[name].key) is None


@pytest.mark.parametrize("name", ["equus", "capra", "canis", "felis", "bovidae", "primates"])
def test_a_higher_taxon_of_a_domestic_animal_or_of_people_is_everywhere(name: str) -> None:
    assert RANGES.allowed(TAXA_BY_NAME[name].key) is None


@pytest.mark.parametrize(
    ("name", "countries"),
    [
        ("canis latrans", "CAN USA MEX CRI PAN"),
        ("canis lupus", "USA CAN DEU ITA RUS IND SAU MNG GRL"),
        ("vulpes vulpes", "AUS USA GBR IRL RUS JPN EGY IND"),
        ("vulpes lagopus", "ISL NOR SJM GRL CAN USA RUS"),
        ("lycaon pictus", "BWA ZMB TZA MOZ"),
        ("puma concolor", "CAN USA MEX CRI BRA CHL ARG"),
        ("lynx", "USA CAN ESP PRT NOR CHE TUR"),
        ("panthera leo", "TZA IND ZAF SEN"),
        ("panthera onca", "BRA MEX USA ARG"),
        ("panthera pardus", "ZAF IND LKA RUS IRN IDN"),
        ("panthera tigris", "IND RUS IDN THA BTN"),
        ("panthera uncia", "NPL MNG KGZ"),
        ("acinonyx jubatus", "NAM IRN DZA IND"),
        ("suricata suricatta", "ZAF NAM BWA"),
        ("ursus arctos", "USA CAN JPN ROU ESP TUR"),
        ("ursus maritimus", "CAN GRL SJM"),
        ("neovison vison", "USA GBR CHL ISL"),
        ("mustela putorius", "GBR DEU NZL"),
        ("sus scrofa", "DEU USA AUS JPN IDN TUN ARG"),
        ("phacochoerus", "KEN ZAF SEN"),
        ("hippopotamus amphibius", "UGA ZAF COL"),
        ("bison", "USA CAN POL BLR"),
        ("alcelaphus buselaphus", "KEN ZAF BFA"),
        ("aepyceros melampus", "ZAF KEN BWA"),
        ("macropodidae", "AUS PNG NZL IDN"),
        ("lepus", "GBR USA KEN AUS ARG IND GRL"),
        ("oryctolagus cuniculus", "ESP GBR AUS NZL CHL"),
        ("sciurus niger", "USA MEX"),
        ("castor", "CAN DEU GBR ARG"),
        ("cingulata", "USA BRA MEX TTO"),
        ("pan troglodytes", "UGA TZA COG CIV"),
        ("macaca", "MAR GIB JPN IND USA"),
        ("papio", "ZAF ETH SAU"),
        ("loxodonta africana", "KEN ZAF GAB MLI"),
        ("elephas maximus", "IND LKA IDN"),
        ("ciconia ciconia", "POL KEN ZAF"),
        ("carduelis carduelis", "GBR AUS NZL"),
        ("crotalus", "USA MEX BRA"),
        ("iguana iguana", "BRA USA CRI"),
        ("trochilidae", "USA BRA CHL CUB"),
    ],
)
def test_an_animal_occurs_where_it_is_known_to_live(name: str, countries: str) -> None:
    assert set(countries.split()) - countries_of(name) == set()


@pytest.mark.parametrize(
    ("name", "countries"),
    [
        ("canis latrans", "GBR AUS KEN COL"),
        ("canis lupus", "AUS JPN GBR KEN"),
        ("vulpes vulpes", "NZL ZAF BRA ISL IDN"),
        ("cuon alpinus", "JPN USA KEN LKA"),
        ("lycaon pictus", "USA IND EGY"),
        ("panthera leo", "USA AUS IRN MAR"),
        ("panthera onca", "KEN IND CHL URY"),
        ("panthera pardus", "USA AUS BRA JPN"),
        ("panthera tigris", "ZAF KEN TZA USA LKA IRN"),
        ("suricata suricatta", "KEN USA MDG"),
        ("hyaenidae", "USA AUS CHN LKA"),
        ("mustelidae", "AUS PNG MDG"),
        ("ursus arctos", "AUS GBR ZAF IRL BRA"),
        ("ursidae", "KEN ZAF AUS GBR NZL"),
        ("macropodidae", "USA KEN GBR DEU"),
        ("lepus", "MDG ISL PHL"),
        ("pan troglodytes", "ZAF KEN IDN"),
        ("macaca", "ZAF KEN AUS BRA"),
        ("papio", "MDG IND GAB"),
        ("loxodonta africana", "IND EGY"),
        ("elephas maximus", "KEN ZAF"),
        ("proboscidea", "USA BRA AUS"),
        ("sylvilagus", "GBR KEN AUS"),
        ("otididae", "USA BRA NZL"),
        ("gruidae", "BRA NZL MDG"),
        ("bucerotidae", "BRA USA AUS"),
        ("spheniscidae", "CAN NOR GRL"),
        ("viperidae", "AUS NZL MDG IRL"),
    ],
)
def test_an_animal_does_not_occur_where_it_is_known_to_be_absent(name: str, countries: str) -> None:
    assert set(countries.split()) & countries_of(name) == set()


@pytest.mark.parametrize(
    ("name", "countries"),
    [
        ("ailuropoda melanoleuca", "CHN"),
        ("phascolarctos cinereus", "AUS"),
        ("ornithorhynchus anatinus", "AUS"),
        ("vombatidae", "AUS"),
        ("tachyglossidae", "AUS IDN PNG"),
        ("ursus americanus", "CAN MEX USA"),
        ("ovis canadensis", "CAN MEX USA"),
        ("vulpes macrotis", "MEX USA"),
        ("canis rufus", "USA"),
        ("melursus ursinus", "BTN IND LKA NPL"),
        ("ailurus fulgens", "BTN CHN IND MMR NPL"),
        ("nasalis larvatus", "BRN IDN MYS"),
        ("pongo", "IDN MYS"),
        ("indri indri", "MDG"),
        ("lemur catta", "MDG"),
        ("varanus komodoensis", "IDN"),
        ("alligator mississippiensis", "USA"),
        ("alligator", "CHN USA"),
        ("bonasa umbellus", "CAN USA"),
        ("ambystoma mexicanum", "MEX"),
        ("heloderma suspectum", "MEX USA"),
        ("triceratops", ""),
    ],
)
def test_an_animal_of_few_countries_occurs_in_no_other(name: str, countries: str) -> None:
    assert countries_of(name) == set(countries.split())
