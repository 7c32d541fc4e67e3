"""A server that answers as Freesound's API does, from a catalogue of its own, without the network.

Filters go the whole way: the server's rewriting (`rewriting`), then the index's grammar and clause rules (`tokens`,
`filters`), then the types of its fields (`properties`, `matching`, `dates`). Recorded answers of the genuine server
decide, and where none is recorded, its source; both are compared in the tests. What still differs:

Not served, and refused where the original answers
- Users, packs, comments, `analysis/`, `me/` and the index page: an HTML 404, or 401 where OAuth2 is needed.
- XML, YAML and JSONP: 404 `Not found.`; an `Accept` header that leaves no room for JSON: 406. HTML is never made.
- A sorting target (`sort=bpm:120`): always the 400 of one that cannot be read. Its exact text is not recorded.
- In filters: regular expressions, fuzzy words, `{!…}` but for a whole filter `{!terms f=id}…`, groups nested deeper
  than 100, and geotags but for a box: 400. More than 1,024 values in a whole filter, however they are grouped: 400.
- A request line of more than 4,094 bytes: 400. That is gunicorn's default; the original's setting is not known.
- OPTIONS: a short object instead of the framework's description.

Stricter than is known of the original
- `similar_to` with a filter that could match a document of a vector: 400 with `(HTTP 500)` inside. Vectors are taken
  to carry duration, created, num_downloads, avg_rating, num_ratings, pack_grouping and an id that begins with their
  sound's; `type:*` beside such a condition makes it one on sounds. The original may answer where no such document is
  met. A filter of negatives only matches nothing there.
- A range of dates that ends before it begins: 400. A parameter with a NUL character: 400 `Malformed request.`
- `username` is compared by runs of letters: digits in a name do not tell two users apart.

Otherwise than the original
- Words of names, descriptions and packs are runs of letters and digits in lower case. The original also strips HTML,
  drops stop words, cuts words of mixed case and stems them; `query` is compared by words too, its scores are invented.
- Comments have no text, so `comment:` finds nothing; `md5`, remix flags and the like are as the catalogue has them.
- `samplerate:96000.0` is taken, as recorded from a stand-in for the index; the index itself may refuse a fraction.
- Of two errors in one query the first is answered, in the index's words, without its list of what was expected.
- An index without the database's row (`deleted_share`) is off by default: counts then have no null rows.
- Scores and vectors come from the catalogue's own geometry; links and addresses in records name `sandbox.invalid`.
- The answers of the index to a vector of the wrong length, which here finds nothing, are not known.
"""

from __future__ import annotations

from harvester.sandbox.catalogue import Catalogue
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.recorded import RecordedCatalogue
from harvester.sandbox.server import serving
from harvester.sandbox.service import Sandbox

__all__ = ["Catalogue", "Fault", "GeneratedCatalogue", "RecordedCatalogue", "Sandbox", "serving"]
