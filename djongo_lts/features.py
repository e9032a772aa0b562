"""Django's feature flags for MongoDB and this engine.

Most flags tell Django's own tests what to skip. An unsupported query raises NotSupportedError in the compiler.
"""

from djongo.features import DatabaseFeatures as DjongoFeatures


class DatabaseFeatures(DjongoFeatures):
    allows_group_by_select_index = False
    can_clone_databases = False
    can_create_inline_fk = False
    can_introspect_foreign_keys = False
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    has_json_object_function = False
    has_select_for_update = False
    order_by_nulls_first = True
    supports_collation_on_charfield = False
    supports_collation_on_textfield = False
    supports_column_check_constraints = False
    supports_table_check_constraints = False
    can_introspect_check_constraints = False
    supports_date_lookup_using_string = False
    supports_explaining_query_execution = True
    supports_expression_defaults = False
    supports_expression_indexes = False
    supports_foreign_keys = False
    supports_json_field_contains = False
    supports_nulls_distinct_unique_constraints = True
    supports_order_by_nulls_modifier = False
    supports_paramstyle_pyformat = False
    supports_regex_backreferencing = False
    supports_select_difference = False
    supports_select_intersection = False
    supports_select_union = False
    supports_sequence_reset = False
    supports_subqueries_in_group_by = False
    supports_tuple_lookups = False
    supports_unspecified_pk = False
    test_db_allows_multiple_connections = True
    # Savepoints do nothing. Without them, an error caught inside a nested atomic() would block the outer block.
    uses_savepoints = True
