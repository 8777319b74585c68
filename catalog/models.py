"""Models, their versions and their tokenizers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gpudb.catalog.catalog import Catalog
from gpudb.catalog.records import Version, now
from gpudb.errors import CatalogError, InputError

_SELECT = """
    SELECT version.id, model.name, number, architecture, config, plan, function, tokenizer,
           dtype, source, created, parameters, nbytes
    FROM version JOIN model ON model.id = version.model
"""


def add_version(
    catalog: Catalog,
    model: str,
    *,
    architecture: str,
    config: Mapping[str, Any],
    plan: str,
    function: Mapping[str, Any],
    tokenizer: str | None,
    dtype: str,
    source: str,
    parameters: int,
    nbytes: int,
) -> Version:
    """Record a new version of ``model``, and the model if it is the first.

    Its tensors follow, in the same transaction. See :class:`Version` for the fields; ``tokenizer``
    is a hash that :func:`add_tokenizer` returned.
    """
    _check_name(model)
    with catalog.transaction():
        catalog.run("INSERT INTO model (name) VALUES (?) ON CONFLICT DO NOTHING", (model,))
        ((model_id, number),) = catalog.rows(
            "UPDATE model SET last_number = last_number + 1 WHERE name = ? "
            "RETURNING id, last_number",
            (model,),
        )
        version_id = catalog.insert(
            "INSERT INTO version (model, number, architecture, config, plan, function, "
            "tokenizer, dtype, source, created, parameters, nbytes) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                model_id,
                number,
                architecture,
                json.dumps(dict(config)),
                plan,
                json.dumps(dict(function)),
                tokenizer,
                dtype,
                source,
                now(),
                parameters,
                nbytes,
            ),
        )
        return _versions(catalog, "WHERE version.id = ?", version_id)[0]


def version(catalog: Catalog, name: str) -> Version:
    """The newest version of ``"minilm"``, or version 2 of it for ``"minilm@2"``.

    Raises
    ------
    CatalogError
        If there is no such model or version; the message lists those there are.
    """
    model, at, number = name.partition("@")
    found = versions(catalog, model)
    if not found:
        raise CatalogError(_no_model(catalog, model))
    if not at:
        return found[-1]
    for candidate in found:
        if str(candidate.number) == number:
            return candidate
    labels = ", ".join(v.label for v in found)
    raise CatalogError(f"model {model!r} has no version {number!r}; versions are: {labels}")


def versions(catalog: Catalog, model: str | None = None) -> list[Version]:
    """Every version of ``model``, oldest first; of all models, by name, when it is None."""
    if model is None:
        return _versions(catalog, "")
    return _versions(catalog, "WHERE model.name = ?", model)


def model_names(catalog: Catalog) -> list[str]:
    """The names of all models, sorted."""
    return [name for (name,) in catalog.rows("SELECT name FROM model ORDER BY name")]


def drop_version(catalog: Catalog, name: str) -> Version:
    """Forget one version (the newest, unless ``name`` has a number) and its tensors.

    Blocks that others use stay; pages nobody uses any more are removed by vacuum.
    """
    with catalog.transaction():
        dropped = version(catalog, name)
        catalog.run("DELETE FROM version WHERE id = ?", (dropped.id,))
        catalog.run(
            "DELETE FROM model WHERE name = ? "
            "AND NOT EXISTS (SELECT 1 FROM version WHERE version.model = model.id)",
            (dropped.model,),
        )
        _forget_tokenizers(catalog)
        return dropped


def drop_model(catalog: Catalog, model: str) -> None:
    """Forget a model with all its versions and their tensors."""
    with catalog.transaction():
        if not catalog.run("DELETE FROM model WHERE name = ?", (model,)):
            raise CatalogError(_no_model(catalog, model))
        _forget_tokenizers(catalog)


def add_tokenizer(catalog: Catalog, text: str) -> str:
    """Store the JSON of a tokenizer, once however often it is added; its hash."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    catalog.run("INSERT INTO tokenizer VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, text))
    return digest


def tokenizer(catalog: Catalog, digest: str) -> str:
    """The JSON of the tokenizer with that hash."""
    found = catalog.rows("SELECT json FROM tokenizer WHERE hash = ?", (digest,))
    if not found:
        raise CatalogError(f"no tokenizer with hash {digest}; import the model again")
    text: str = found[0][0]
    return text


def record_cosines(catalog: Catalog, version_id: int, mean: float, least: float) -> None:
    """Record how near vectors are to those of the model as it came: cosines of a few texts."""
    catalog.run(
        "UPDATE version SET mean_cosine = ?, least_cosine = ? WHERE id = ?",
        (mean, least, version_id),
    )


def _versions(catalog: Catalog, where: str, *parameters: Any) -> list[Version]:
    rows = catalog.rows(f"{_SELECT} {where} ORDER BY model.name, number", parameters)
    return [
        Version(
            id,
            model,
            number,
            architecture,
            json.loads(config),
            plan,
            json.loads(function),
            tokenizer_hash,
            dtype,
            source,
            datetime.fromisoformat(created),
            parameter_count,
            nbytes,
        )
        for (
            id,
            model,
            number,
            architecture,
            config,
            plan,
            function,
            tokenizer_hash,
            dtype,
            source,
            created,
            parameter_count,
            nbytes,
        ) in rows
    ]


def _forget_tokenizers(catalog: Catalog) -> None:
    catalog.run(
        "DELETE FROM tokenizer "
        "WHERE NOT EXISTS (SELECT 1 FROM version WHERE version.tokenizer = tokenizer.hash)"
    )


def _check_name(model: object) -> None:
    if not (
        isinstance(model, str)
        and model
        and model == model.strip()
        and "@" not in model
        and model.isprintable()
    ):
        raise InputError(
            f"{model!r} cannot name a model: expected printable text without '@' and without "
            "spaces around it, e.g. 'minilm'"
        )


def _no_model(catalog: Catalog, model: str) -> str:
    names = ", ".join(model_names(catalog))
    exist = f"models are: {names}; or import" if names else "there are none yet; import"
    return f"no model {model!r}; {exist} one with import_model"
