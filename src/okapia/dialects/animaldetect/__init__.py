"""Animal Detect's contract, which is our native API: boxes and species of one picture.

Field names, ranges and shapes follow the vendor's; what is ours is added beside them.
"""

from okapia.dialects.animaldetect.routes import dialect

__all__ = ["dialect"]
