"""What MongoDB and this engine can do, in Django's words.
Knows no queries: what is refused is refused where it is met.
"""

from djongo.features import DatabaseFeatures as DjongoFeatures


class DatabaseFeatures(DjongoFeatures):
    allow_sliced_subqueries_with_in = True
    allows_group_by_select_index = False
    can_clone_databases = False
    can_create_inline_fk = False
    can_introspect_foreign_keys = False
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_rollback_ddl = False
    has_bulk_insert = True
    has_case_insensitive_like = False
    has_json_object_function = False
    has_native_uuid_field = True
    has_select_for_update = False
    ignores_table_name_case = False
    nulls_order_largest = False
    order_by_nulls_first = True
    supports_aggregate_filter_clause = False
    supports_boolean_expr_in_select_clause = True
    supports_collation_on_charfield = False
    supports_collation_on_textfield = False
    supports_column_check_constraints = False
    supports_table_check_constraints = False
    can_introspect_check_constraints = False
    supports_comments = False
    supports_date_lookup_using_string = False
    supports_explaining_query_execution = True
    supports_expression_defaults = False
    supports_expression_indexes = False
    supports_foreign_keys = False
    supports_ignore_conflicts = True
    supports_index_column_ordering = True
    supports_json_field = True
    supports_json_field_contains = False
    supports_logical_xor = False
    supports_microsecond_precision = False
    supports_nullable_unique_constraints = True
    supports_nulls_distinct_unique_constraints = True
    supports_order_by_nulls_modifier = False
    supports_over_clause = False
    supports_paramstyle_pyformat = False
    supports_partial_indexes = True
    supports_partially_nullable_unique_constraints = True
    supports_regex_backreferencing = False
    supports_select_difference = False
    supports_select_intersection = False
    supports_select_union = False
    supports_sequence_reset = False
    supports_stored_generated_columns = False
    supports_virtual_generated_columns = False
    supports_subqueries_in_group_by = False
    supports_temporal_subtraction = False
    supports_timezones = False
    supports_tuple_lookups = False
    supports_unspecified_pk = False
    supports_update_conflicts = False
    test_db_allows_multiple_connections = True
    # Savepoints do nothing, and are there so that an error caught inside atomic() does not bar the rest of it.
    uses_savepoints = True
