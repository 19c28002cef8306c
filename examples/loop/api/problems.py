"""Every refusal in one shape: ``error`` for programs, ``error_description`` for people."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.bearer import ask_for_scope
from api.errors import NoteError
from api.errors import ScopeMissing
from api.models.entities import Problem


def add_problem_handlers(app: FastAPI) -> None:
    """Let ``app`` answer what goes wrong as Problem."""
    app.add_exception_handler(NoteError, _note_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


async def _note_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NoteError)
    if isinstance(error, ScopeMissing):
        ask_for_scope(error.scope)
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
    return _answer(error.status, error.code, str(error), headers)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Name what is wrong, without repeating what was sent: that is the caller's data."""
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in error.errors()]
    return _answer(422, "invalid_request", "; ".join(found))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, "http_error", f"{error.detail}.", error.headers)


def _answer(status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    problem = Problem(error=error, error_description=description)
    return JSONResponse(problem.model_dump(), status, headers)
