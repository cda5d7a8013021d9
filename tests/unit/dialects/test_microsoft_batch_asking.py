"""Microsoft's batch API: what its parameters mean here, and what is refused."""

from collections.abc import Iterator

import pytest

from okapia.app import desk_options
from okapia.dialects.microsoft_batch.asking import MOST_IMAGES, NAME, DetectionRequest
from okapia.dialects.microsoft_batch.container import Container
from okapia.dialects.microsoft_batch.versions import Versions
from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.service.batch_request import LIST_URL, SOURCE, PlaceOfPictures
from okapia.service.batches import NewBatch
from okapia.service.desk import Desk
from okapia.settings import Settings
from okapia.web.context import Context, Limits
from tests.unit.dialects.bright import bright_service

SAS = "sp=rl&se=2027-01-01T00%3A00%3A00Z&sv=2021-08-06&sr=c&sig=5ecr3t%2Bsignature%3D"
BARE = "https://savanna.blob.core.windows.net/camera-traps"
CONTAINER = f"{BARE}?{SAS}"
LIST = "https://lists.example/serengeti.json?sig=5ecr3t2"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """A server whose detectors are `stoat`, `guard` and `slow`; people know the first as 4.1."""
    home = tmp_path_factory.mktemp("home")
    service = bright_service(home)
    desk = Desk(service, desk_options(Settings(home=home)))
    yield Context(service, desk, Limits(max_body_bytes=1), 0.2, model_aliases={"stoat": "4.1"})
    desk.close()
    service.close()


@pytest.fixture
def versions(context: Context) -> Versions:
    return Versions(context)


def batch_of(versions: Versions, **body: object) -> NewBatch:
    return DetectionRequest.of({"caller": "ada", **body}).new_batch(versions, threshold=0.25)


# --- containers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://savanna.blob.core.windows.net/camera-traps", "az://savanna/camera-traps"),
        ("https://savanna.blob.core.windows.net/camera-traps/", "az://savanna/camera-traps"),
        ("https://SAVANNA.blob.core.windows.net/%24root", "az://savanna/$root"),
        (
            "https://savanna.blob.core.chinacloudapi.cn/2020",
            "az://savanna/2020?endpoint=https%3A%2F%2Fsavanna.blob.core.chinacloudapi.cn",
        ),
        (
            "http://127.0.0.1:10000/devstoreaccount1/pictures",
            "az://devstoreaccount1/pictures?endpoint=http%3A%2F%2F127.0.0.1%3A10000%2Fdevstoreaccount1",
        ),
    ],
)
def test_a_container_is_known_by_account_and_name(url: str, address: str) -> None:
    container = Container.parse(f"{url}?{SAS}")

    assert (container.address, container.sas) == (address, SAS)
    assert "5ecr3t" not in repr(container)


@pytest.mark.parametrize(
    "url",
    [
        f"https://savanna.blob.core.windows.net/camera-traps/night/fox.jpg?{SAS}",
        f"https://savanna.blob.core.windows.net/?{SAS}",
        f"https://savanna.blob.core.windows.net/Camera_Traps?{SAS}",
        f"https://savanna.blob.core.windows.net/..?{SAS}",
        f"https://ada:5ecr3t@savanna.blob.core.windows.net/camera-traps?{SAS}",
        f"https://savanna.blob.core.windows.net/camera-traps?{SAS}#5ecr3t",
        f"https://pictures.example/camera-traps?{SAS}",
        f"file:///savanna/camera-traps?{SAS}",
        f"https://[savanna/camera-traps?{SAS}",
        f"https://savanna.blob.core.windows.net:port/camera-traps?{SAS}",
        "https://savanna.blob.core.windows.net/camera-traps?sp=rl&sr=b&sig=5ecr3t",
        "savanna/camera-traps",
    ],
)
def test_what_is_no_container_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Container.parse(url)

    assert str(refused.value) == "input_container_sas provided is not for a container."
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("query", ["sp=rl&sig=x", "sp=racwdl&sr=c&sig=x", "si=readers&sr=c&sig=x"])
def test_a_signature_allows_reading_and_listing_or_names_a_policy(query: str) -> None:
    assert Container.parse(f"{BARE}?{query}").sas == query


@pytest.mark.parametrize("query", ["sp=r&sig=x", "sp=l&sr=c&sig=x", "sp=&sig=x", "sig=x", ""])
def test_a_signature_that_allows_less_is_refused(query: str) -> None:
    with pytest.raises(InvalidRequest, match="does not have both read and list permissions"):
        Container.parse(f"{BARE}?{query}")


# --- places ----------------------------------------------------------------------------


def test_a_container_is_looked_through_as_a_whole(versions: Versions) -> None:
    new = batch_of(versions, input_container_sas=CONTAINER)

    assert new.request.place == PlaceOfPictures(address="az://savanna/camera-traps")
    assert new.secrets == {SOURCE: SAS}


def test_a_list_with_a_container_names_pictures_below_it(versions: Versions) -> None:
    new = batch_of(versions, input_container_sas=CONTAINER, images_requested_json_sas=LIST)

    assert new.request.place == PlaceOfPictures(address="az://savanna/camera-traps", fetches_list=True)
    assert new.secrets == {SOURCE: SAS, LIST_URL: LIST}


@pytest.mark.parametrize("use_url", [True, "true", "yes", "T", 1])
def test_a_list_of_urls_needs_no_container_and_leaves_a_given_one_alone(
    versions: Versions, use_url: object
) -> None:
    alone = batch_of(versions, use_url=use_url, images_requested_json_sas=LIST)
    beside = batch_of(
        versions, use_url=use_url, images_requested_json_sas=LIST, input_container_sas=CONTAINER
    )

    assert alone.request.place == beside.request.place == PlaceOfPictures(fetches_list=True)
    assert alone.secrets == beside.secrets == {LIST_URL: LIST}


@pytest.mark.parametrize("use_url", [False, None, "", 0, "false", "False", "f", "no", "N"])
def test_without_urls_a_container_is_needed(versions: Versions, use_url: object) -> None:
    with pytest.raises(InvalidRequest, match="input_container_sas with read and list access is a required"):
        batch_of(versions, use_url=use_url, images_requested_json_sas=LIST)


def test_urls_need_a_list(versions: Versions) -> None:
    with pytest.raises(InvalidRequest, match="images_requested_json_sas is required since use_url is true"):
        batch_of(versions, use_url=True)


@pytest.mark.parametrize("url", ["serengeti.json", "ftp://lists.example/a.json", "/etc/5ecr3t", "az://a/b"])
def test_a_list_is_behind_a_url_of_the_web(versions: Versions, url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        batch_of(versions, use_url=True, images_requested_json_sas=url)

    assert str(refused.value) == "images_requested_json_sas needs to be an URL."


# --- the rest --------------------------------------------------------------------------


def test_what_is_chosen_of_a_container(versions: Versions) -> None:
    new = batch_of(
        versions,
        input_container_sas=CONTAINER,
        image_path_prefix="2020/Alberta",
        first_n=100,
        sample_n="10",
        request_name="Alberta_2020-1",
        country="CAN",
        organization_name="Parks",
    )

    selection = new.request.selection
    assert selection.prefix == "2020/Alberta"
    assert selection.suffixes == (".jpg", ".jpeg", ".png")
    assert (selection.first_n, selection.sample_n, selection.most) == (100, 10, MOST_IMAGES)
    assert (new.request.name, new.request.dialect) == ("Alberta_2020-1", NAME)
    assert new.request.about == {"caller": "ada", "country": "CAN", "organization_name": "Parks"}
    assert (new.request.outputs.keep_above, new.request.options.threshold) == (0.1, 0.25)


def test_two_samples_differ(versions: Versions) -> None:
    seeds = {batch_of(versions, input_container_sas=CONTAINER).request.selection.seed for _ in range(3)}

    assert len(seeds) > 1


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_null_or_empty_counts_as_left_out(versions: Versions, nothing: object) -> None:
    names = (
        "image_path_prefix",
        "first_n",
        "sample_n",
        "model_version",
        "request_name",
        "country",
        "use_url",
    )

    new = batch_of(versions, input_container_sas=CONTAINER, **dict.fromkeys(names, nothing))

    assert new.request.selection.first_n is None
    assert (new.request.name, new.request.choice) == ("", ModelChoice("stoat", None))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first_n", 0),
        ("first_n", -1),
        ("first_n", 1.5),
        ("first_n", "many"),
        ("sample_n", 0),
        ("sample_n", [1]),
        ("request_name", "a" * 93),
        ("request_name", "with space"),
        ("request_name", "a/b"),
        ("request_name", "a\n"),
        ("request_name", "é"),
        ("request_name", 7),
        ("image_path_prefix", 7),
        ("input_container_sas", {"5ecr3t": 1}),
        ("images_requested_json_sas", ["5ecr3t"]),
    ],
)
def test_a_parameter_that_breaks_its_rule_is_refused_by_name_and_not_repeated(
    versions: Versions, name: str, value: object
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        batch_of(versions, **{"input_container_sas": CONTAINER, name: value})

    assert str(refused.value).startswith(f"{name}: ")
    assert "5ecr3t" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_request_and_what_is_kept_of_it_hold_no_secret(versions: Versions) -> None:
    body = {"caller": "ada", "input_container_sas": CONTAINER, "images_requested_json_sas": LIST}

    asked = DetectionRequest.of(body)
    new = asked.new_batch(versions, threshold=0.25)

    for shown in (repr(asked), str(asked), repr(new), repr(new.request), str(new.request.as_row())):
        assert "5ecr3t" not in shown


# --- models ----------------------------------------------------------------------------


def test_versions_are_the_models_that_there_are(versions: Versions) -> None:
    assert versions.default == "4.1"
    assert versions.supported() == ["4.1", "guard", "slow", "urban", "wild"]


@pytest.mark.parametrize(
    ("version", "choice"),
    [
        ("", ModelChoice("stoat", None)),
        ("4.1", ModelChoice("stoat", None)),
        (4.1, ModelChoice("stoat", None)),
        ("guard", ModelChoice("guard", None)),
        ("wild", ModelChoice("stoat", "namer")),
        ("urban", ModelChoice("guard", None)),
    ],
)
def test_a_request_names_one_of_them(versions: Versions, version: object, choice: ModelChoice) -> None:
    new = batch_of(versions, input_container_sas=CONTAINER, model_version=version)

    assert new.request.choice == choice
    assert new.request.options.classify is (choice.classifier is not None)


@pytest.mark.parametrize("version", ["5", 3, "stoat", "namer", "megadetector-lite", "Wild", ["wild"]])
def test_other_versions_are_not_supported(versions: Versions, version: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        batch_of(versions, input_container_sas=CONTAINER, model_version=version)

    assert str(refused.value) == f"model_version {version} is not supported."
