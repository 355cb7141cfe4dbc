"""The list of places that ships."""

from user_service.locations import _checked, shipped

PROVINCES = 38


def test_every_province_of_indonesia_is_there_and_lies_in_nothing() -> None:
    assert sorted(place.id for place in shipped() if not place.parent_id) == list(range(1, PROVINCES + 1))


def test_ids_that_clients_know_are_theirs() -> None:
    names = {place.id: place.name for place in shipped()}
    assert (names[1], names[11]) == ("Jawa Timur", "Jawa Tengah")
    assert names[7]


def test_cities_lie_in_provinces() -> None:
    cities = [place for place in shipped() if place.parent_id]
    assert len(cities) >= 12
    assert {city.parent_id for city in cities} <= set(range(1, PROVINCES + 1))


def test_the_list_is_one_that_could_be_imported() -> None:
    assert _checked(shipped()) == shipped()
    assert len({place.name for place in shipped()}) == len(shipped())
