"""The words of a seeded workspace: names of users and rooms, and texts of messages."""

import random

NAMES = (
    "Ada", "Amir", "Anna", "Aylin", "Ben", "Bianca", "Boris", "Carla", "Chen", "Cleo", "Dario", "Dina",
    "Edgar", "Elif", "Emil", "Fatima", "Felix", "Frida", "Gita", "Greta", "Hana", "Hugo", "Ida", "Igor",
    "Ines", "Ivan", "Jana", "Joel", "June", "Kai", "Karim", "Lara", "Leo", "Lina", "Luca", "Maja",
    "Malik", "Marta", "Mei", "Milo", "Nadia", "Nils", "Nora", "Omar", "Oskar", "Paula", "Pavel",
    "Priya", "Quinn", "Rafael", "Rosa", "Ruth", "Samir", "Selma", "Stefan", "Tara", "Theo", "Uma",
    "Vera", "Viktor", "Wanda", "Xenia", "Yara", "Yusuf",
)  # fmt: skip

ROOMS = (
    "general", "random", "design", "backend", "frontend", "mobile", "support", "releases", "incidents",
    "hiring", "marketing", "finance", "lunch", "books", "music", "running", "onboarding", "research",
    "data", "security", "legal", "travel", "offsite", "photos",
)  # fmt: skip

OPENERS = (
    "Morning!", "Quick question:", "Good news:", "Heads up:", "Does anybody know", "I just saw that",
    "Thanks!", "Sorry,", "For the record:", "One more thing:", "Just checking:",
    "As we said yesterday,", "Nice.", "Hm,", "Right,", "By the way,",
)  # fmt: skip

SUBJECTS = (
    "the release", "the new onboarding page", "the invoice from March", "the failing build",
    "the customer in Lisbon", "my branch", "the search box", "the export", "Thursday's workshop",
    "the coffee machine", "the staging server", "the roadmap", "the second draft", "the dark theme",
    "the calendar invite", "the test report", "the old API",
)  # fmt: skip

PREDICATES = (
    "is ready for a look", "went out this morning", "still needs a review",
    "takes twice as long as last week", "looks much better now", "has moved to next week",
    "works on my machine", "is waiting for an answer", "should be done by noon", "surprised everybody",
    "needs one more pair of eyes", "is back to normal", "was easier than we thought",
    "has a small hole in it", "can wait until Monday", "made somebody very happy",
)  # fmt: skip

CLOSERS = (
    "", "", "", "", " Who can take it?", " I will write it down.", " Shall we talk at ten?", " 👍", " 🎉",
    " No hurry.", " Details are in the document.", " Let me know what you think.",
    " Más tarde te cuento.", " Bis später!", " 明日また。",
)  # fmt: skip

SHORT = (
    "ok", "yes", "no", "👍", "thanks", "on it", "done", "where?", "same here", "agreed",
    "in five minutes", "😂", "great", "let me check", "not yet", "see you there", "why not",
    "good point",
)  # fmt: skip


def random_text(source: random.Random) -> str:
    """The text of a message: a short answer, or one or two sentences."""
    choice = source.choice
    if source.random() < 0.25:
        return choice(SHORT)
    sentence = f"{choice(SUBJECTS)} {choice(PREDICATES)}."
    if source.random() < 0.5:
        sentence = f"{choice(OPENERS)} {sentence}"
    if source.random() < 0.2:
        sentence += f" {choice(SUBJECTS).capitalize()} {choice(PREDICATES)}."
    return sentence[0].upper() + sentence[1:] + choice(CLOSERS)
