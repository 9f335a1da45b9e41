"""Web applications as people write them, made for the question warm: each answers with four texts, one for each kind of
file that is edited."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers

BIN = peers.APPLICATIONS / "bin"
PYTHON = BIN / "python"
KINDS = ("leaf", "middle", "settings", "entry")
"""A module that one other imports; one that most import; the settings; the file that brings all together."""
DJANGO_APPS = 10
ROUTERS = 10
_MIGRATING_LIMIT = 120


@dataclass(frozen=True)
class Application:
    """One table."""

    name: str
    about: str
    make: Callable[[Path], None]
    """Write it into that empty folder."""
    files: dict[str, str]
    """By kind: which file has a line `KIND = "text"`, the kind in capitals."""
    command: tuple[str, ...]
    """`{port}` is filled in. It does not reload by itself."""
    own: tuple[str, ...]
    """The same with its own reloader."""
    own_name: str
    jurigged: tuple[str, ...]
    """What comes after `jurigged -w .`."""
    hmr: tuple[str, ...] = ()
    """For uvicorn-hmr, where that can run it."""
    path: str = "/"


def text(kind: str, version: int) -> str:
    """Each version has another length: Python takes two of the same second and size for the same one."""
    return f"{kind}-{version}" + "." * version


def save(tree: Path, application: Application, kind: str, version: int) -> None:
    """Write that version over the one before it."""
    path = tree / application.files[kind]
    old, new = (f'{kind.upper()} = "{text(kind, number)}"' for number in (version - 1, version))
    before = path.read_text()
    assert old in before, (path, old)
    path.write_text(before.replace(old, new))


def first(kind: str) -> str:
    """The line in which that kind's text begins its life."""
    return f'{kind.upper()} = "{text(kind, 0)}"'


def _write(path: Path, code: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code).lstrip())


# -- Django ------------------------------------------------------------------------------------------------------------
_SETTINGS = """
    from pathlib import Path

    SETTINGS = "settings-0"
    BASE = Path(__file__).resolve().parent.parent
    SECRET_KEY = "not secret"
    DEBUG = True
    ALLOWED_HOSTS = ["*"]
    USE_TZ = True
    INSTALLED_APPS = [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "rest_framework",
        *("app%d" % number for number in range(10)),
    ]
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    ROOT_URLCONF = "project.urls"
    PROCESSORS = ["django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]
    PROCESSORS.append("django.template.context_processors.request")
    TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": PROCESSORS},
        }
    ]
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE / "db.sqlite3"}}
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    STATIC_URL = "/static/"
"""
_MANAGE = """
    import os
    import sys


    def main():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


    if __name__ == "__main__":
        main()
"""
_URLS = """
    from django.conf import settings
    from django.contrib import admin
    from django.http import HttpResponse
    from django.urls import include, path

    from app0 import models as common
    from app9 import views

    ENTRY = "entry-0"


    def answer(request):
        return HttpResponse("|".join([views.LEAF, common.MIDDLE, settings.SETTINGS, ENTRY]))


    urlpatterns = [path("admin/", admin.site.urls), path("", answer)]
    urlpatterns += [path("app%d/" % number, include("app%d.urls" % number)) for number in range(10)]
"""
_DJANGO_APP = {
    "__init__.py": "",
    "apps.py": """
    from django.apps import AppConfig


    class App(AppConfig):
        name = "{app}"
    """,
    "models.py": """
    from django.db import models

    from . import constants, tools

    {middle}


    class Author(models.Model):
        name = models.CharField(max_length=100)
        age = models.IntegerField(default=constants.K0)
        life = models.TextField()


    class Book(models.Model):
        author = models.ForeignKey(Author, on_delete=models.CASCADE)
        title = models.CharField(max_length=100)
        price = models.DecimalField(max_digits=9, decimal_places=2)
        when = models.DateTimeField()
    """,
    "serializers.py": """
    from rest_framework import serializers

    from .models import Author, Book


    class AuthorSerializer(serializers.ModelSerializer):
        class Meta:
            model = Author
            fields = "__all__"


    class BookSerializer(serializers.ModelSerializer):
        class Meta:
            model = Book
            fields = "__all__"
    """,
    "forms.py": """
    from django import forms

    from .models import Author


    class AuthorForm(forms.ModelForm):
        class Meta:
            model = Author
            fields = "__all__"
    """,
    "admin.py": """
    from django.contrib import admin

    from .models import Author, Book

    admin.site.register(Author)
    admin.site.register(Book)
    """,
    "views.py": """
    from rest_framework import viewsets

    from . import forms, services
    from .models import Author, Book
    from .serializers import AuthorSerializer, BookSerializer

    {leaf}


    class Authors(viewsets.ModelViewSet):
        queryset = Author.objects.all()
        serializer_class = AuthorSerializer


    class Books(viewsets.ModelViewSet):
        queryset = Book.objects.all()
        serializer_class = BookSerializer
    """,
    "urls.py": """
    from rest_framework import routers

    from . import views

    router = routers.DefaultRouter()
    router.register("authors", views.Authors)
    router.register("books", views.Books)
    urlpatterns = router.urls
    """,
}


def _django(tree: Path) -> None:
    _write(tree / "manage.py", _MANAGE)
    _write(tree / "project/__init__.py", "")
    _write(tree / "project/settings.py", _SETTINGS)
    _write(tree / "project/urls.py", _URLS)
    for number in range(DJANGO_APPS):
        app = tree / f"app{number}"
        for name, code in _DJANGO_APP.items():
            words = {"app": app.name, "middle": first("middle"), "leaf": first("leaf")}
            for word, value in words.items():
                code = code.replace(f"{{{word}}}", value)
            _write(app / name, code)
        _write(app / "constants.py", "\n".join(f"K{n} = {n}" for n in range(60)) + "\n")
        functions = [f"def f{n}(a, b={n}):\n    return re.sub('x', 'y', str(a)) + str(b)\n" for n in range(25)]
        _write(app / "tools.py", "import decimal\nimport json\nimport re\n\n\n" + "\n\n".join(functions))
        sums = [f"def sum{n}(query):\n    return pd.DataFrame(list(query)).sum() + {n}\n" for n in range(15)]
        _write(app / "services.py", "import pandas as pd\n\nfrom .models import Author, Book\n\n\n" + "\n\n".join(sums))


# -- FastAPI -----------------------------------------------------------------------------------------------------------
_MAIN = """
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse
    import pandas as pd

    from . import models, routes, settings
    from .routes import router9

    ENTRY = "entry-0"
    app = FastAPI()
    routes.include(app)


    @app.get("/", response_class=PlainTextResponse)
    def answer():
        return "|".join([router9.LEAF, models.MIDDLE, settings.SETTINGS, ENTRY])
"""
_MODELS = """
    from sqlalchemy import ForeignKey, String, create_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

    from . import settings

    MIDDLE = "middle-0"


    class Base(DeclarativeBase):
        pass


    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(30))
        posts: Mapped[list["Post"]] = relationship(back_populates="user")


    class Post(Base):
        __tablename__ = "posts"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
        user: Mapped[User] = relationship(back_populates="posts")


    engine = create_engine(settings.DATABASE)
"""
_ROUTES = """
    import importlib


    def include(app):
        for number in range(10):
            app.include_router(importlib.import_module("app.routes.router%d" % number).router)
"""


def _fastapi(tree: Path) -> None:
    _write(tree / "app/__init__.py", "")
    _write(tree / "app/main.py", _MAIN)
    _write(tree / "app/settings.py", f'{first("settings")}\nDATABASE = "sqlite://"\n')
    _write(tree / "app/models.py", _MODELS)
    _write(tree / "app/routes/__init__.py", _ROUTES)
    schemas = [f"class S{n}(BaseModel):\n    id: int\n    name: str\n    tags: list[str] = []\n" for n in range(20)]
    _write(tree / "app/schemas.py", "from pydantic import BaseModel\n\n\n" + "\n\n".join(schemas))
    imports = "import pandas as pd\nfrom fastapi import APIRouter\n\nfrom .. import models\nfrom ..schemas import *\n\n"
    for number in range(ROUTERS):
        routes = [f'@router.post("/{n}")\ndef route{n}(body: S{n}) -> S{n}:\n    return body\n' for n in range(8)]
        head = f'{imports}{first("leaf")}\nrouter = APIRouter(prefix="/router{number}")\n\n\n'
        _write(tree / f"app/routes/router{number}.py", head + "\n\n".join(routes))


# -- Flask -------------------------------------------------------------------------------------------------------------
_FLASK = """
    import numpy as np
    from flask import Flask

    import models
    import settings
    import views

    ENTRY = "entry-0"
    app = Flask(__name__)
    app.register_blueprint(views.blueprint)


    @app.get("/")
    def answer():
        assert np.dot(np.eye(300), np.ones(300)).sum() == 300
        return "|".join([views.LEAF, models.MIDDLE, settings.SETTINGS, ENTRY])
"""


def _flask(tree: Path) -> None:
    _write(tree / "app.py", _FLASK)
    _write(tree / "settings.py", first("settings") + "\n")
    _write(tree / "models.py", f"import sqlite3\n\nimport numpy as np\n\nimport settings\n\n{first('middle')}\n")
    blueprint = 'blueprint = Blueprint("views", __name__)\n'
    _write(tree / "views.py", f"from flask import Blueprint\n\nimport models\n\n{first('leaf')}\n{blueprint}")


# -- Wagtail -----------------------------------------------------------------------------------------------------------
_ANSWER = """

def answer(request):
    from django.http import HttpResponse
    from home import models
    return HttpResponse("|".join([search_views.LEAF, models.MIDDLE, settings.SETTINGS, ENTRY]))


urlpatterns.insert(0, path("answer/", answer))
"""


def _wagtail(tree: Path) -> None:
    """Its own template of a project, with one more view."""
    tree.mkdir(parents=True)
    _call(tree, str(BIN / "wagtail"), "start", "mysite", ".")
    for kind, name in _WAGTAIL_FILES.items():
        with (tree / name).open("a") as file:
            file.write(f"\n\n{first(kind)}\n" + (_ANSWER if kind == "entry" else ""))
    _call(tree, str(PYTHON), "manage.py", "migrate")


def _call(tree: Path, *command: str) -> None:
    done = subprocess.run(
        command,
        cwd=tree,
        env=peers.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_MIGRATING_LIMIT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"benchmarks: {command} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")


_WAGTAIL_FILES = {
    "leaf": "search/views.py",
    "middle": "home/models.py",
    "settings": "mysite/settings/base.py",
    "entry": "mysite/urls.py",
}
_RUNSERVER = (str(PYTHON), "manage.py", "runserver", "127.0.0.1:{port}")
_UVICORN = ("app.main:app", "--port", "{port}", "--log-level", "warning")
_FLASK_RUN = ("run", "--port", "{port}")
APPLICATIONS = (
    Application(
        "Django",
        "Django REST framework and pandas, ten apps with ten modules each, `manage.py runserver --noreload`",
        _django,
        {
            "leaf": "app9/views.py",
            "middle": "app0/models.py",
            "settings": "project/settings.py",
            "entry": "project/urls.py",
        },
        (*_RUNSERVER, "--noreload"),
        _RUNSERVER,
        "runserver",
        ("manage.py", "runserver", "127.0.0.1:{port}", "--noreload"),
    ),
    Application(
        "FastAPI",
        "SQLAlchemy and pandas, ten routers, `uvicorn`",
        _fastapi,
        {
            "leaf": "app/routes/router9.py",
            "middle": "app/models.py",
            "settings": "app/settings.py",
            "entry": "app/main.py",
        },
        (str(BIN / "uvicorn"), *_UVICORN),
        (str(BIN / "uvicorn"), *_UVICORN, "--reload"),
        "uvicorn --reload",
        ("-m", "uvicorn", *_UVICORN),
        (str(BIN / "uvicorn-hmr"), *_UVICORN),
    ),
    Application(
        "Flask",
        "numpy and five modules, `flask run`",
        _flask,
        {"leaf": "views.py", "middle": "models.py", "settings": "settings.py", "entry": "app.py"},
        (str(BIN / "flask"), *_FLASK_RUN),
        (str(BIN / "flask"), "--debug", *_FLASK_RUN),
        "flask --debug",
        ("-m", "flask", *_FLASK_RUN),
    ),
    Application(
        "Wagtail",
        "the project that `wagtail start` makes, migrated, `manage.py runserver --noreload`",
        _wagtail,
        _WAGTAIL_FILES,
        (*_RUNSERVER, "--noreload"),
        _RUNSERVER,
        "runserver",
        ("manage.py", "runserver", "127.0.0.1:{port}", "--noreload"),
        path="/answer/",
    ),
)
