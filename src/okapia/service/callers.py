"""Who asks: an API key, a token, a name with its password, or nobody on a server without accounts."""

from dataclasses import replace

from okapia.accounts.credentials import Credentials, Login
from okapia.accounts.key_text import PREFIX
from okapia.accounts.limits import LoginThrottle
from okapia.accounts.passwords import hash_password, is_outdated, is_right
from okapia.accounts.tokens import Tokens
from okapia.accounts.users import Users, folded
from okapia.database.engine import Database
from okapia.domain.callers import LOCAL_USER_ID, Caller, Plan, Role, Scope
from okapia.domain.errors import InvalidRequest
from okapia.domain.refusals import InvalidCredentials


class Callers:
    """Turns credentials into callers."""

    def __init__(
        self,
        database: Database,
        *,
        users: Users,
        credentials: Credentials,
        tokens: Tokens,
        throttle: LoginThrottle,
        local_plan: Plan,
    ) -> None:
        self._database = database
        self._users = users
        self._credentials = credentials
        self._tokens = tokens
        self._throttle = throttle
        self._local = Caller(
            LOCAL_USER_ID, LOCAL_USER_ID, role=Role.ADMIN, scopes=frozenset(Scope), plan=local_plan
        )
        self._gateway = replace(
            self._local, name="gateway", role=Role.USER, scopes=frozenset({Scope.DETECT, Scope.READ})
        )
        self._has_people = False

    def authenticate(self, credential: str) -> Caller:
        """Tell who presents a key or a token; which of the two it is, its shape says.

        Raises:
            InvalidCredentials: it is unknown, expired or revoked, or its user disabled.
        """
        if credential.startswith(PREFIX):
            with self._database.read() as connection:
                return self._credentials.of_key(connection, credential)
        claims = self._tokens.verify(credential)
        with self._database.read() as connection:
            return self._credentials.of_token(connection, claims)

    def log_in(self, name: str, password: str) -> str:
        """Give a token for a name and its password. Takes about 0.1 s, also for a name that nobody has.

        Raises:
            InvalidCredentials: one of them is wrong, or the user disabled; it is not said which.
            TooManyLogins: too many wrong passwords were given for this name.
        """
        try:
            name = folded(name)
        except InvalidRequest as error:
            raise InvalidCredentials from error
        self._throttle.check(name)
        with self._database.read() as connection:
            login = self._credentials.login(connection, name)
        if not is_right(password, login.password_hash if login else None) or login is None:
            self._throttle.failed(name)
            raise InvalidCredentials
        self._throttle.succeeded(name)
        self._renew_hash(login, password)
        return self._tokens.issue(login.claims)

    def has_people(self) -> bool:
        """Say whether anybody has an account, which ends the time without keys; nobody is ever deleted."""
        if not self._has_people:
            with self._database.read() as connection:
                self._has_people = self._users.has_people(connection)
        return self._has_people

    def has_admin(self) -> bool:
        """Say whether there is an admin who is not disabled."""
        with self._database.read() as connection:
            people = self._users.everybody(connection)
        return any(user.role is Role.ADMIN and user.disabled_at is None for user in people)

    def local(self) -> Caller:
        """Give the caller of a server without accounts, who may do everything."""
        return self._local

    def of_gateway(self) -> Caller:
        """Give the caller that machines of `gateway_networks` are, who may have pictures looked at."""
        return self._gateway

    def note_uses(self) -> None:
        """Write when keys were last used; to be called every few seconds, and at the end."""
        uses = self._credentials.take_uses()
        if uses:
            with self._database.write_soon() as connection:
                self._credentials.note_uses(connection, uses)

    def _renew_hash(self, login: Login, password: str) -> None:
        if not is_outdated(login.password_hash):
            return
        renewed = hash_password(password)
        with self._database.write() as connection:
            self._credentials.renew_hash(connection, login, renewed)
