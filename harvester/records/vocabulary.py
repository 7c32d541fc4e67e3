"""List the values that fields of a closed vocabulary have on Freesound."""

from __future__ import annotations

CATEGORIES: dict[str, tuple[str, ...]] = {
    "Music": ("Solo percussion", "Solo instrument", "Multiple instruments"),
    "Instrument samples": ("Percussion", "String", "Wind", "Piano / Keyboard instruments", "Synths / Electronic"),
    "Speech": ("Solo speech", "Conversation / Crowd", "Processed / Synthetic"),
    "Sound effects": (
        "Objects / House appliances",
        "Vehicles",
        "Other mechanisms, engines, machines",
        "Human sounds and actions",
        "Animals",
        "Natural elements and explosions",
        "Experimental",
        "Electronic / Design",
    ),
    "Soundscapes": ("Nature", "Indoors", "Urban", "Synthetic / Artificial"),
}
"""The categories of the Broad Sound Taxonomy, each with its subcategories."""

FILE_TYPES = ("wav", "aiff", "flac", "mp3", "ogg", "m4a")
"""The types of the files that users upload."""
