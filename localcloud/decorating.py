"""What ``mock_tencent`` does to whatever it decorates, so that no part of it runs outside the mock."""

from __future__ import annotations

import functools
import inspect
import unittest
from contextlib import AbstractContextManager, aclosing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

    Enter = Callable[[], AbstractContextManager[Any]]

_METHODS = ("setup_method", "teardown_method")
_UNITTEST = ("setUp", "tearDown")
_ENTERED = "_mock_tencent_entered"


def decorate(target: Any, enter: Enter) -> Any:
    """Return ``target`` such that it runs within ``enter()``. Raises TypeError for what cannot be called."""
    if isinstance(target, (staticmethod, classmethod)):
        return type(target)(decorate(target.__func__, enter))
    if inspect.isclass(target):
        return _decorate_class(target, enter)
    if inspect.isasyncgenfunction(target):
        return _wrap_async_generator(target, enter)
    if inspect.isgeneratorfunction(target):
        return _wrap_generator(target, enter)
    if inspect.iscoroutinefunction(target):
        return _wrap_coroutine(target, enter)
    if not callable(target):
        raise TypeError(f"mock_tencent decorates functions and classes, not {type(target).__name__}")
    return _wrap_function(target, enter)


def _wrap_function(target: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    @functools.wraps(target)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return target(*args, **kwargs)

    return wrapped


def _wrap_coroutine(target: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    @functools.wraps(target)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return await target(*args, **kwargs)

    return wrapped


def _wrap_generator(target: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    @functools.wraps(target)
    def wrapped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with enter():
            return (yield from target(*args, **kwargs))

    return wrapped


def _wrap_async_generator(target: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    @functools.wraps(target)
    async def wrapped(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        # Closed here: otherwise its `finally` would run after the mock, whenever the loop finds it.
        with enter():
            async with aclosing(target(*args, **kwargs)) as items:
                async for item in items:
                    yield item

    return wrapped


def _decorate_class(target: type, enter: Enter) -> type:
    inherited_too = dict.fromkeys(name for owner in target.__mro__ for name in vars(owner) if name.startswith("test"))
    for name in inherited_too:
        method = inspect.getattr_static(target, name)
        if inspect.isfunction(method) or isinstance(method, (staticmethod, classmethod)):
            setattr(target, name, decorate(method, enter))
    is_unittest = issubclass(target, unittest.TestCase)
    if is_unittest:
        _wrap_set_up(target, enter)
    # pytest calls setup_method before it makes the fixtures of a class, so that these are inside too.
    if not is_unittest or _has_any(target, _METHODS):
        _wrap_pair(target, _METHODS, enter)
    if not is_unittest and _has_any(target, _UNITTEST):
        _wrap_pair(target, _UNITTEST, enter)
    return target


def _has_any(target: type, names: tuple[str, str]) -> bool:
    return any(hasattr(target, name) for name in names)


def _wrap_set_up(target: Any, enter: Enter) -> None:
    """Enter in ``setUp``; leave as the last cleanup, which unittest runs even when ``setUp`` fails."""
    original = inspect.getattr_static(target, "setUp")

    @functools.wraps(original)
    def set_up(instance: Any) -> None:
        entered = enter()
        entered.__enter__()
        instance.addCleanup(entered.__exit__, None, None, None)
        _bound(original, instance)()

    target.setUp = set_up


def _wrap_pair(target: type, names: tuple[str, str], enter: Enter) -> None:
    """Enter before the first of two methods, leave after the second; add whichever is not there."""
    before, after = (inspect.getattr_static(target, name, None) for name in names)

    # pytest looks at how many parameters there are, and passes the test method where there is one.
    def set_up(instance: Any, method: Any = None) -> None:
        entered = enter()
        entered.__enter__()
        try:
            _call(before, instance, method)
        except BaseException:
            # Nobody tears down what could not be set up.
            entered.__exit__(None, None, None)
            raise
        vars(instance).setdefault(_ENTERED, []).append(entered)

    def tear_down(instance: Any, method: Any = None) -> None:
        try:
            _call(after, instance, method)
        finally:
            # A subclass may set up without us.
            if entered := vars(instance).get(_ENTERED):
                entered.pop().__exit__(None, None, None)

    for name, made in zip(names, (set_up, tear_down), strict=True):
        made.__name__ = name
        setattr(target, name, made)


def _call(original: Any, instance: Any, method: Any) -> None:
    if original is not None:
        bound = _bound(original, instance)
        bound(method) if inspect.signature(bound).parameters else bound()


def _bound(original: Any, instance: Any) -> Any:
    return original.__get__(instance, type(instance))
