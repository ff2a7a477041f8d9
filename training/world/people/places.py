"""Names of the world: regions with their zones and languages, cities, plans, features, words.

Plain data. Order matters: the simulation stores positions.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """Where customers live.

    Attributes:
        name: Name in `customers.region` and `disruptions.region`.
        timezone: IANA zone.
        share: Share of all customers.
        languages: Shares of ru, kk and en.
        p_late: Share of deliveries that run late.
    """

    name: str
    timezone: str
    share: float
    languages: tuple[float, float, float]
    p_late: float


REGIONS = (
    Region("Almaty", "Asia/Almaty", 0.20, (0.55, 0.38, 0.07), 0.08),
    Region("Astana", "Asia/Almaty", 0.14, (0.52, 0.42, 0.06), 0.10),
    Region("Shymkent", "Asia/Almaty", 0.09, (0.30, 0.68, 0.02), 0.12),
    Region("Kyzylorda", "Asia/Qyzylorda", 0.06, (0.18, 0.81, 0.01), 0.16),
    Region("Aktau", "Asia/Aqtau", 0.06, (0.35, 0.62, 0.03), 0.18),
    Region("Moscow", "Europe/Moscow", 0.15, (0.97, 0.01, 0.02), 0.06),
    Region("Kazan", "Europe/Moscow", 0.08, (0.97, 0.01, 0.02), 0.09),
    Region("Novosibirsk", "Asia/Novosibirsk", 0.07, (0.98, 0.01, 0.01), 0.14),
    Region("Berlin", "Europe/Berlin", 0.09, (0.20, 0.02, 0.78), 0.05),
    Region("London", "Europe/London", 0.06, (0.08, 0.01, 0.91), 0.05),
)
ZONES = tuple(sorted({region.timezone for region in REGIONS}))
LANGUAGES = ("ru", "kk", "en")
SEGMENTS = ("student", "family", "professional", "business", "retired")
FIRST_NAMES = (
    ("Анна", "Иван", "Мария", "Дмитрий", "Ольга", "Сергей", "Елена", "Павел"),
    ("Айгерім", "Нұрлан", "Дина", "Ерлан", "Әсел", "Болат", "Жанар", "Тимур"),
    ("Emma", "James", "Sophie", "Daniel", "Olivia", "Thomas", "Laura", "Peter"),
)
"""By language, in the order of `LANGUAGES`."""

CITIES = (
    *(region.name for region in REGIONS),
    "Istanbul", "Dubai", "Tbilisi", "Bangkok", "Lagos", "Warsaw", "Delhi", "Hanoi", "Lima", "Oslo",
)  # fmt: skip
"""Locations of logins; the first ones are the home cities of the regions."""

ACTIVITY_KINDS = (
    "login", "session", "feature_use", "page_view", "cart_add", "purchase", "onboarding_step",
)  # fmt: skip
FEATURES = (
    "search", "wishlist", "reviews", "compare", "order_history", "reorder", "gift_cards", "reports",
    "exports", "family_sharing",
)  # fmt: skip
N_ITEMS = 120
ITEMS = tuple(f"item-{number:03d}" for number in range(N_ITEMS))

PLANS = ("basic", "plus", "pro", "unlimited")
PLAN_MRR_CENTS = (490, 990, 1990, 3990)
PLAN_LIMITS = (100.0, 300.0, 1000.0, float("nan"))

SHIPMENT_STATUSES = ("created", "shipped", "in_transit", "delivered")
TICKET_TOPICS = ("billing", "how_to", "bug", "returns")
SERVICES = ("delivery", "payments", "app")
INBOUND_SOURCES = ("whatsapp", "instagram", "email")
INBOUND_TEXTS = (
    "Где мой заказ? Жду уже третий день",
    "Тапсырысым қайда? Күтіп отырмын",
    "Where is my order, please?",
    "Приложение не открывается",
    "Қосымша ашылмай тұр",
    "The app does not open",
    "Оплата не проходит, помогите",
    "Төлем өтпей жатыр",
    "The payment fails every time",
)
"""Three subjects (order, app, payment) x three languages, in the order of `LANGUAGES`."""
