"""What somebody does with ngsildclient. Run by its own Python: port, token."""

import sys

from ngsildclient import Client, Entity

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld"
SUBSCRIPTION = "urn:ngsi-ld:Subscription:c1"


class Token:
    """Says who asks."""

    def __call__(self, request):
        if len(sys.argv) > 2:
            request.headers["Authorization"] = f"Bearer {sys.argv[2]}"
        return request


client = Client("127.0.0.1", int(sys.argv[1]), custom_auth=Token(), verbose=False)
vessel = (
    Entity("Vessel", "c1")
    .prop("speed", 12.5, unitcode="KNT", observedat="2024-01-01T00:00:00Z")
    .loc((13.7, 100.5))
)
vessel.rel("flies", "urn:ngsi-ld:Flag:th")
assert client.create(vessel)
assert client.exists(vessel)
assert client.get(vessel.id)["speed"]["value"] == 12.5
assert [e.id for e in client.query(type="Vessel", q="speed>10")] == [vessel.id]
assert client.count(type="Vessel") == 1
vessel["speed"]["value"] = 14
assert client.update(vessel)
assert client.get(vessel.id)["speed"]["value"] == 14
assert client.upsert(vessel)
fleet = [Entity("Vessel", f"m{n}").prop("speed", n) for n in range(5)]
assert client.create(*fleet).ok
assert client.upsert(*fleet).ok
assert client.update(*fleet).ok
assert client.count(type="Vessel") == 6
assert "Vessel" in client.types.list()
client.contexts.add({"@context": {"a": "https://x.org/a"}})
assert len(client.contexts.list()) >= 2
assert client.contexts.exists(CORE)
made = client.subscriptions.create(
    {
        "id": SUBSCRIPTION,
        "type": "Subscription",
        "entities": [{"type": "Vessel"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/n"}},
        "@context": [CORE],
    }
)
assert made == SUBSCRIPTION
assert len(client.subscriptions.list()) == 1
assert client.subscriptions.get(SUBSCRIPTION)["id"] == SUBSCRIPTION
assert client.subscriptions.exists(SUBSCRIPTION)
assert client.subscriptions.purge()
assert client.temporal.get(vessel)
assert client.temporal.query(type="Vessel")
assert client.delete(vessel)
assert client.delete(*fleet).ok
assert not client.exists(vessel)
sys.stdout.write("done\n")
