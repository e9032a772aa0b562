"""Filters: translates the tree of conditions in Django's WHERE or HAVING to one MongoDB filter.

In: a WhereNode and the Scope that says where its columns are stored. Out: a dict, or None if nothing can match. For
example `filter(seq__gte=1).exclude(note="x")` gives `{"seq": {"$gte": 1}, "$nor": [{"note": "x"}]}`.

`negated` is true below an odd number of NOTs; see `logic.py`. `lookups.py` translates the comparisons.
"""

from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import Exists, lookups
from django.db.models.expressions import NegatedExpression
from django.db.models.sql.where import AND, XOR, NothingNode, WhereNode

from .errors import unsupported
from .logic import Filter, all_of, any_of, none_of
from .lookups import LOOKUPS, text_lookup
from .scope import Scope
from .subqueries import exists


def where_filter(scope: Scope, where: Any, negated: bool = False) -> Filter:
    """The filter for a conjunction or disjunction of conditions, itself perhaps below a NOT."""
    if where is None or not where.children:
        return {}
    if where.connector == XOR:
        raise unsupported("XOR")
    inner, conjunction = negated ^ where.negated, where.connector == AND
    if inner and conjunction:
        scope = beside_guards(scope, where)
    parts: list[Filter] = []
    decisive: Filter = None if conjunction else {}
    for child in where.children:
        parts.append(condition(scope, child, inner))
        if parts[-1] == decisive:
            # The result is known, so no further subquery has to run.
            break
    result = all_of(parts) if conjunction else any_of(parts)
    return none_of(result) if where.negated else result


def beside_guards(scope: Scope, where: Any) -> Scope:
    """Django writes NOT (a = 1 AND a IS NOT NULL). Beside that guard, a comparison with a is never unknown."""
    guarded = [child.lhs for child in where.children if type(child) is lookups.IsNull and not child.rhs]
    return scope.beside(guarded) if guarded else scope


def condition(scope: Scope, node: Any, negated: bool) -> Filter:
    """The filter for one child of a WhereNode."""
    if isinstance(node, WhereNode):
        return where_filter(scope, node, negated)
    if isinstance(node, NothingNode):
        return None
    if isinstance(node, NegatedExpression):
        return none_of(condition(scope, node.expression, not negated))
    if isinstance(node, Exists):
        return exists(scope, node.query)
    if not isinstance(node, lookups.Lookup) or getattr(node, "bilateral_transforms", None):
        raise unsupported(node)
    if isinstance(node.lhs, (Exists, NegatedExpression, lookups.Lookup)):
        return condition(scope, compared_condition(node), negated)
    try:
        truth = LOOKUPS.get(node.lookup_name, text_lookup)(scope, node)
    # Django's lookups raise these for values that no row, or that every row matches.
    except EmptyResultSet:
        return None
    except FullResultSet:
        return {}
    return truth.not_false if negated else truth.true


def compared_condition(node: Any) -> Any:
    """The condition in `condition = True`, as which Django writes a condition that stands for itself."""
    if not isinstance(node, lookups.Exact):
        raise unsupported("a lookup on a condition")
    if node.rhs is not True:
        raise unsupported("a condition compared with a value other than True")
    return node.lhs
