"""Filters put together: and, or, not.
Knows the form of MongoDB filters only. A filter is a dict; None matches nothing, {} all.
"""

Filter = dict | None
NEVER = {"_id": {"$in": []}}


def all_of(parts: list[Filter]) -> Filter:
    """Their conjunction, as one flat document where no two speak of a field in the same way."""
    if any(part is None for part in parts):
        return None
    parts = [part for part in parts if part]
    merged: dict = {}
    for part in parts:
        for key, value in part.items():
            if key not in merged:
                merged[key] = value
            elif not key.startswith("$") and disjoint(merged[key], value):
                merged[key] = {**merged[key], **value}
            else:
                return {"$and": parts}
    return merged


def disjoint(one, other) -> bool:
    """Whether two conditions on a field can stand in one document of operators."""
    if not (isinstance(one, dict) and isinstance(other, dict)) or "$regex" in one or "$regex" in other:
        return False
    return not one.keys() & other.keys()


def any_of(parts: list[Filter]) -> Filter:
    if any(part == {} for part in parts):
        return {}
    parts = [part for part in parts if part is not None]
    return {"$or": parts} if len(parts) > 1 else parts[0] if parts else None


def none_of(part: Filter) -> Filter:
    return {} if part is None else {"$nor": [part]} if part else None
