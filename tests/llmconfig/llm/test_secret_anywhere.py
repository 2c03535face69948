"""Whatever is done to a secret, its text comes out of `reveal` alone."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import pprint
from dataclasses import asdict, dataclass, replace
from string import Formatter
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.template import Context, Engine
from hypothesis import given
from hypothesis import strategies as st
from kombu.serialization import dumps
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from llmconfig.llm import Secret
from llmconfig.llm.secret import MASK

texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60).map(lambda text: f"sk~{text}")


@dataclass
class Holder:
    key: Secret


def logged(secret: Secret) -> str:
    out = io.StringIO()
    logger = logging.Logger("a-logger-of-the-test")
    logger.addHandler(handler := logging.StreamHandler(out))
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    logger.warning("%s %r %(x)s" if False else "%s %r", secret, secret)
    try:
        raise ValueError(secret)
    except ValueError:
        logger.exception("with its chain")
    return out.getvalue()


SHOWN = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": lambda secret: f"{secret} {secret!r} {secret!s} {secret:>20}",
    "percent": lambda secret: f"{'%s %r'}" % (secret, secret),
    "formatter": lambda secret: Formatter().format("{0} {0!r}", secret),
    "pprint": lambda secret: pprint.pformat({"key": [secret]}),
    "dataclass": lambda secret: repr(Holder(secret)) + repr(replace(Holder(secret), key=secret)),
    "exception": lambda secret: repr(ValueError(secret)) + str(KeyError(secret)),
    "json with default=str": lambda secret: json.dumps({"key": secret}, default=str),
    "json with default=repr": lambda secret: json.dumps({"key": secret}, default=repr),
    "log": logged,
    "template": lambda secret: Engine().from_string("{{ key }} {{ key.reveal }} {{ key|safe }}").render(Context({"key": secret})),
}
REFUSED = {
    "pickle": pickle.dumps,
    "pickle 0": lambda secret: pickle.dumps(secret, 0),
    "copy": copy.copy,
    "deepcopy": lambda secret: copy.deepcopy({"key": [secret]}),
    "getstate": lambda secret: secret.__getstate__(),
    "reduce": lambda secret: secret.__reduce__(),
    "asdict": lambda secret: asdict(Holder(secret)),
    "json": json.dumps,
    "json of Django": lambda secret: json.dumps(secret, cls=DjangoJSONEncoder),
    "json of REST framework": lambda secret: json.dumps(secret, cls=JSONEncoder),
    "renderer of REST framework": lambda secret: JSONRenderer().render({"key": secret}),
    "celery": lambda secret: dumps([secret], serializer="json"),
    "celery, pickled": lambda secret: dumps([secret], serializer="pickle"),
    "iteration": list,
    "bytes": bytes,
    "vars": vars,
    "index": lambda secret: secret[0],
    "addition": lambda secret: secret + "",
    "join": lambda secret: "".join([secret]),
    "hash": hash,
}


@pytest.mark.parametrize("way", SHOWN)
@given(text=texts)
def test_it_is_masked(way: str, text: str) -> None:
    shown: Any = SHOWN[way](Secret(text))
    assert text not in shown
    assert MASK in shown or json.dumps(MASK)[1:-1] in shown or ascii(MASK)[1:-1] in shown


@pytest.mark.parametrize("way", REFUSED)
@given(text=texts)
def test_it_is_refused(way: str, text: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whichever the serializer raises: what it says is what counts
        REFUSED[way](Secret(text))
    chain: list[str] = []
    error: BaseException | None = caught.value
    while error is not None:
        chain += [repr(error), str(error)]
        error = error.__cause__ or error.__context__
    assert not any(text in said for said in chain)
