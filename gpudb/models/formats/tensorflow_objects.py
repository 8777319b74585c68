"""Names of variables in checkpoints that TensorFlow 2 saves by object.

There a variable is called after the way to it from the saved object, for instance
``model/variables/7/.ATTRIBUTES/VARIABLE_VALUE``. The entry :data:`GRAPH` has the name of the
variable itself; it is a ``TrackableObjectGraph``
(``tensorflow/core/protobuf/trackable_object_graph.proto``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gpudb.models.formats.protobuf import fields

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The entry of the graph, a text tensor."""


def variable_names(graph: bytes) -> dict[str, str]:
    """Key in the checkpoint -> name of the variable.

    Empty where names would not tell variables apart, as those of Keras 3 (``kernel``).

    Raises
    ------
    ValueError
        The bytes are no such message.
    """
    names = {
        key.decode("utf-8"): name.decode("utf-8")
        for nodes, node in fields(graph)
        if nodes == 1 and isinstance(node, bytes)
        for key, name in _attributes(node)
    }
    most = Counter(names.values()).most_common(1)
    return names if most and most[0][1] == 1 else {}


def _attributes(node: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and name of each tensor that belongs to one object."""
    for number, attribute in fields(node):
        if number == 2 and isinstance(attribute, bytes):
            found = dict(fields(attribute))
            name, key = found.get(2), found.get(3)
            if isinstance(name, bytes) and isinstance(key, bytes) and name:
                yield key, name
