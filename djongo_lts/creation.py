"""Test databases: dropped before and after the run. The migrations create the collections."""

from djongo.creation import DatabaseCreation as DjongoCreation

from .errors import unsupported


class DatabaseCreation(DjongoCreation):
    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = self._get_test_db_name()
        if not keepdb:
            self._destroy_test_db(name, verbosity)
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        self.connection.ensure_connection()
        self.connection.client_connection.drop_database(test_database_name)

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> None:
        raise unsupported("cloning the test database")
