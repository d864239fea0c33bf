"""How each type of shop is named in a sentence, with its article: « une poissonnerie »."""

from __future__ import annotations

from bourg.commerce.typology import typology

# ``other_shop`` is what no type describes: its presence or absence says nothing, no sentence is made of it.
_NAMES = {
    "hypermarket": "un hypermarché ou un grand magasin", "supermarket": "un supermarché", "superette": "une supérette",
    "grocery": "une épicerie", "frozen": "un magasin de surgelés", "greengrocer": "un primeur", "drinks": "un caviste",
    "other_food": "un commerce alimentaire spécialisé", "bakery": "une boulangerie", "butcher": "une boucherie",
    "fishmonger": "une poissonnerie", "clothes": "un magasin de vêtements", "shoes": "un magasin de chaussures",
    "leather": "une maroquinerie", "jewellery": "une bijouterie", "fabric": "une mercerie",
    "furniture": "un magasin de meubles", "household": "un magasin de décoration ou d'équipement du foyer",
    "appliances": "un magasin d'électroménager ou d'informatique", "telephones": "une boutique de téléphonie",
    "diy_store": "une grande surface de bricolage", "hardware": "une quincaillerie",
    "flooring": "un magasin de revêtements de sols et de murs",
    "florist": "un fleuriste, une jardinerie ou une animalerie", "heating_fuel": "un marchand de combustibles",
    "perfumery": "une parfumerie", "hairdresser": "un salon de coiffure", "beauty": "un institut de beauté",
    "laundry": "un pressing ou une laverie", "pharmacy": "une pharmacie", "optician": "un opticien",
    "medical": "un magasin de matériel médical ou d'audition",
    "books_press": "une librairie, une papeterie ou une maison de la presse", "tobacco": "un bureau de tabac",
    "sports": "un magasin de sport ou de cycles", "games": "un magasin de jeux, de disques ou d'instruments",
    "second_hand": "un magasin d'occasion ou d'antiquités", "restaurant": "un restaurant",
    "fast_food": "un restaurant rapide", "cafe": "un café ou un bar", "bank": "une agence bancaire",
    "insurance": "une agence d'assurance", "estate_agent": "une agence immobilière",
    "travel_agency": "une agence de voyages", "driving_school": "une auto-école",
    "funeral": "une agence de pompes funèbres", "repair": "un cordonnier ou un réparateur",
    "fuel": "une station-service", "car_repair": "un garage", "car_dealer": "un vendeur de véhicules ou de pièces",
}  # fmt: skip


def named(kind: str) -> str | None:
    """Return a type with its article; ``None`` for the shops that no type describes."""
    if kind in _NAMES:
        return _NAMES[kind]
    return None if typology().types[kind].group == "other" else f"un commerce « {typology().label(kind)} »"


def none_of(kind: str) -> str:
    """Return « aucun » or « aucune », as the name of the type asks."""
    return "aucune" if (named(kind) or "").startswith("une ") else "aucun"


def group_label(group: str) -> str:
    """Return the label of a group to stand within a sentence: its first letter small."""
    label = typology().groups[group]
    return label[0].lower() + label[1:]
