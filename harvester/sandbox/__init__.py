"""Serve Freesound's API from a catalogue, without the network.

A filter passes the same steps as on the real server: the application's rewriting (`rewriting`), then the index's
grammar and clause rules (`tokens`, `solr_filter`), then the types of its fields (`solr_fields`, `matching`, `dates`).
The tests compare each step with recorded answers of the real server, or with its source code where none is recorded.
Known differences:

Not served: the sandbox refuses what the original answers
- Users, packs, comments, `analysis/`, `me/` and the index page: an HTML 404, or 401 where OAuth2 is needed.
- XML, YAML and JSONP: 404 `Not found.`; an `Accept` header without JSON: 406. The browsable HTML API does not exist.
- A sorting target (`sort=bpm:120`): always the 400 of one that cannot be read. Its exact text is not recorded.
- In filters, 400 for: regular expressions, fuzzy words, `{!…}` except `{!terms f=id}…` as the whole filter, groups
  nested deeper than 100, geotags except a box, and more than 1,024 values in the whole filter, however grouped.
- A request line of more than 4,094 bytes: 400. That is gunicorn's default; the original's setting is not known.
- Previews as MP3 and spectrograms as JPEG: 404, see `media`. Previews are at most 5 s long.
- OPTIONS: a short object instead of the framework's description.

Stricter than the original, as far as is known
- `similar_to` with a filter that could match a vector's document: 400 with `(HTTP 500)` inside. The sandbox assumes
  that these documents carry duration, created, num_downloads, avg_rating, num_ratings, pack_grouping and an id that
  begins with their sound's id; `type:*` beside such a condition restricts it to sounds. The original may answer when
  the filter meets no such document. A filter of negatives only matches nothing there.
- A range of dates that ends before it begins: 400. A parameter with a NUL character: 400 `Malformed request.`
- `username` is compared by runs of letters: two names that differ only in digits match each other.

Different from the original
- Words of names, descriptions and packs are runs of letters and digits in lower case. The original also strips HTML,
  drops stop words, splits words of mixed case and stems them. `query` is compared by words too; its scores are made up.
- Comments have no text, so `comment:` finds nothing. `md5`, remix flags and the like come from the catalogue.
- `samplerate:96000.0` is accepted, as recorded from a stand-in for the index; the index itself may refuse a fraction.
- A query with two errors gets the first one, in the index's words, without its list of the tokens it expected.
- Sounds in the index but not in the database (`deleted_share`) are off by default: lists then hold no null rows.
- Scores and vectors come from the catalogue's own geometry; links and addresses in records name `sandbox.invalid`.
- A vector of the wrong length finds nothing here; what the index answers to one is not known.
"""

from __future__ import annotations

from harvester.sandbox.catalogue import Catalogue
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.recorded import RecordedCatalogue
from harvester.sandbox.server import serving
from harvester.sandbox.service import Sandbox
from harvester.sandbox.sound_recipe import LONGEST_S as LONGEST_PREVIEW_S
from harvester.sandbox.sound_recipe import recipe_of
