"""fastapi-users as in its full example (SQLAlchemy, JWT), on PostgreSQL. Served by uvicorn in the peers' environment.

`python fastapi_users_app.py` makes the tables. Environment: BENCH_DSN, BENCH_SECRET, BENCH_DEFAULTS=1 for its own
password hash.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET = os.environ["BENCH_SECRET"]
engine = create_async_engine(os.environ["BENCH_DSN"], pool_size=10, max_overflow=0)
make_session = async_sessionmaker(engine, expire_on_commit=False)
hashers = (Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),)
own_hash = PasswordHelper() if os.environ.get("BENCH_DEFAULTS") == "1" else PasswordHelper(PasswordHash(hashers))


class Base(DeclarativeBase):
    """The tables."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """The documented user, with a name to change."""

    first_name: Mapped[str] = mapped_column(String(100), default="")


class UserRead(schemas.BaseUser[uuid.UUID]):
    """What is read."""

    first_name: str


class UserCreate(schemas.BaseUserCreate):
    """What is signed up with."""

    first_name: str = ""


class UserUpdate(schemas.BaseUserUpdate):
    """What is changed."""

    first_name: str | None = None


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """The documented one."""

    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def get_session() -> AsyncIterator[AsyncSession]:
    """Lend a session."""
    async with make_session() as session:
        yield session


async def get_manager(session: Annotated[AsyncSession, Depends(get_session)]) -> AsyncIterator[UserManager]:
    """Make the manager."""
    yield UserManager(SQLAlchemyUserDatabase(session, User), own_hash)


def get_strategy() -> JWTStrategy[User, uuid.UUID]:
    """Make the strategy."""
    return JWTStrategy(secret=SECRET, lifetime_seconds=86_400)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Close the pool at the end."""
    yield
    await engine.dispose()


backend = AuthenticationBackend(
    name="jwt", transport=BearerTransport(tokenUrl="auth/jwt/login"), get_strategy=get_strategy
)
users = FastAPIUsers[User, uuid.UUID](get_manager, [backend])
app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth/jwt")
app.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth")
app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")


async def make_tables() -> None:
    """Make the tables."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(make_tables())
