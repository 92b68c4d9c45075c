"""Why a picture was refused, rejected, queued or left out, and why a source stopped: the words used everywhere.

The strings are stable: they stand in the record, in ``--json`` and in docs/reasons.md (a test compares the two).
"""

from enum import StrEnum


class Reason(StrEnum):
    """What is the matter with one picture or one download."""

    # downloading
    FORBIDDEN_ADDRESS = "forbidden_address"
    HTTP_ERROR = "http_error"
    NETWORK = "network"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    OPTED_OUT = "opted_out"
    ROBOTS_TXT = "robots_txt"
    LICENCE = "licence"
    # content
    NOT_AN_IMAGE = "not_an_image"
    NEEDS_HEIF = "needs_heif"
    UNREADABLE = "unreadable"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    EXACT_COPY = "exact_copy"
    # for a person to decide
    NEAR_DUPLICATE = "near_duplicate"
    LABEL_CONFLICT = "label_conflict"
    ODD_ASPECT = "odd_aspect"
    BLANK = "blank"
    DARK = "dark"
    OVER_EXPOSED = "over_exposed"
    BLURRED = "blurred"
    NOT_A_PHOTOGRAPH = "not_a_photograph"
    SUSPECTED_LABEL = "suspected_label"
    # decided by a person
    BY_HAND = "by_hand"
    MOVED = "moved"
    # left out of a split
    BRIDGE = "bridge"


class Cause(StrEnum):
    """Why a source stopped before it had given enough."""

    CONSENT = "consent"
    CAPTCHA = "captcha"
    JAVASCRIPT_SHELL = "javascript_shell"
    OUTDATED_BROWSER = "outdated_browser"
    NO_RESULTS = "no_results"
    ONLY_THUMBNAILS = "only_thumbnails"
    UNKNOWN_LAYOUT = "unknown_layout"
    NETWORK = "network"
    QUOTA = "quota"
