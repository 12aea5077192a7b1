"""A fashion and furniture retailer, made from a seed: products, variants, warehouses and opening stock.

The same seed gives the same retailer on every machine. Sizes follow a bell over the size run, products sell by a
Zipf law, and the opening stock is the opposite of what is wanted: the popular products are the scarce ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

ORGANIZATION = "usmf"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A place where stock is kept."""

    site: str
    location: str
    name: str


@dataclass(frozen=True, slots=True)
class Product:
    """A product with its runs of colours, sizes and styles."""

    id: str
    name: str
    colors: tuple[str, ...]
    sizes: tuple[str, ...]
    styles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One colour, size and style of a product at one warehouse."""

    product: Product
    warehouse: Warehouse
    color: str
    size: str
    style: str

    @property
    def dimensions(self) -> dict[str, str]:
        """Dimension values as a request names them."""
        return {
            "SiteId": self.warehouse.site,
            "LocationId": self.warehouse.location,
            "ColorId": self.color,
            "SizeId": self.size,
            "StyleId": self.style,
        }


WAREHOUSES = tuple(
    Warehouse(str(site), f"{site}{number}", f"{city} {kind}")
    for site, city in enumerate(("Hamburg", "Rotterdam", "Lyon", "Turin"), start=1)
    for number, kind in enumerate(("distribution centre", "city store", "outlet"), start=1)
)


@dataclass(frozen=True, slots=True)
class Line:
    """A family of products that share their words and runs."""

    nouns: tuple[str, ...]
    materials: tuple[str, ...]
    colors: tuple[str, ...]
    sizes: tuple[str, ...]
    styles: tuple[str, ...]


LINES = (
    Line(
        ("Shirt", "Blouse", "T-shirt", "Jumper", "Cardigan", "Dress", "Jacket", "Coat", "Vest", "Hoodie"),
        ("Linen", "Cotton", "Merino", "Cashmere", "Denim", "Jersey", "Flannel", "Corduroy", "Silk", "Twill"),
        ("White", "Black", "Navy", "Red", "Olive", "Sand", "Sky", "Rose", "Grey", "Rust"),
        ("XS", "S", "M", "L", "XL"),
        ("Regular", "Slim", "Wide"),
    ),
    Line(
        ("Trousers", "Chinos", "Jeans", "Shorts", "Skirt"),
        ("Linen", "Cotton", "Wool", "Denim", "Twill", "Corduroy"),
        ("Black", "Navy", "Indigo", "Stone", "Khaki", "Grey"),
        ("28", "30", "32", "34", "36", "38"),
        ("Straight", "Tapered"),
    ),
    Line(
        ("Sneaker", "Boot", "Loafer", "Sandal"),
        ("Canvas", "Leather", "Suede", "Nubuck"),
        ("White", "Black", "Cognac", "Navy"),
        ("37", "38", "39", "40", "41", "42", "43", "44"),
        ("Standard",),
    ),
    Line(
        ("Cabinet", "Sideboard", "Table", "Desk", "Bookcase", "Bench", "Bed", "Wardrobe", "Shelf"),
        ("Oak", "Walnut", "Beech", "Pine", "Ash", "Steel", "Birch"),
        ("Natural", "White", "Black", "Smoked", "Red"),
        ("Small", "Medium", "Large"),
        ("Classic", "Modern"),
    ),
    Line(
        ("Sofa", "Armchair", "Chair", "Stool", "Pouffe"),
        ("Linen", "Velvet", "Leather", "Bouclé", "Wool"),
        ("Grey", "Moss", "Ochre", "Navy", "Cream", "Terracotta"),
        ("1-seat", "2-seat", "3-seat"),
        ("Lounge", "Upright"),
    ),
)


@dataclass(slots=True)
class Retailer:
    """Products, stock and a weighted choice of what is wanted next."""

    seed: int
    products: list[Product]
    stock: dict[Variant, int] = field(default_factory=dict)
    """Opening quantities in pieces."""
    wanted: list[Variant] = field(default_factory=list)
    """Every variant, most popular first."""
    weights: list[float] = field(default_factory=list)
    """Cumulative Zipf weights of `wanted`."""

    def choose(self, dice: random.Random) -> Variant:
        """A variant that somebody wants, by popularity."""
        return dice.choices(self.wanted, cum_weights=self.weights)[0]

    def choose_at(self, warehouse: Warehouse, dice: random.Random) -> Variant:
        """A variant that somebody wants at one warehouse."""
        while (variant := self.choose(dice)).warehouse != warehouse:
            pass
        return variant

    def records(self) -> Iterator[tuple[Variant, int]]:
        """Opening stock in a stable order."""
        yield from self.stock.items()


def make_retailer(seed: int, products: int = 2_000, skew: float = 0.8) -> Retailer:
    """A retailer of `products` products; `skew` is the exponent of the Zipf law.

    Each product is stocked in two to four warehouses with a few of its variants, about 20,000 records in all.
    """
    dice = random.Random(seed)  # noqa: S311 - a reproducible demo, not a secret
    retailer = Retailer(seed, list(_products(dice, products)))
    for rank, product in enumerate(retailer.products):
        for variant in _variants(dice, product):
            retailer.stock[variant] = _opening(dice, rank, products)
            retailer.wanted.append(variant)
    retailer.weights = list(accumulate((position + 1) ** -skew for position in range(len(retailer.wanted))))
    return retailer


def _products(dice: random.Random, count: int) -> Iterator[Product]:
    for number in range(1, count + 1):
        line = dice.choices(LINES, weights=(9, 4, 3, 3, 2))[0]
        noun, material = dice.choice(line.nouns), dice.choice(line.materials)
        start = dice.randrange(0, max(1, len(line.sizes) - 3))
        yield Product(
            id=f"{noun.replace('-', '')[:3].upper()}{number:05d}",
            name=f"{material} {noun.lower()}",
            colors=tuple(dice.sample(line.colors, dice.randint(1, 3))),
            sizes=line.sizes[start : start + dice.randint(2, 4)],
            styles=tuple(dice.sample(line.styles, min(len(line.styles), dice.randint(1, 2)))),
        )


def _variants(dice: random.Random, product: Product) -> Iterator[Variant]:
    """A few variants in a few warehouses; the middle of the size run is stocked more often than its ends."""
    middle = (len(product.sizes) - 1) / 2
    for warehouse in dice.sample(WAREHOUSES, dice.randint(2, 4)):
        for color in product.colors:
            for place, size in enumerate(product.sizes):
                if dice.random() < 0.75 - 0.2 * abs(place - middle):
                    for style in product.styles:
                        yield Variant(product, warehouse, color, size, style)


def _opening(dice: random.Random, rank: int, products: int) -> int:
    """Pieces at the start: what sells best is what runs out."""
    popularity = 1 - rank / products
    return max(1, round(dice.triangular(1, 12, 4) * (1.2 - 0.9 * popularity)))
