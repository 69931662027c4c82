"""What somebody does with filip. Run by its own Python: port, token."""

import sys

import requests
from filip.clients.ngsi_ld.cb import ContextBrokerLDClient
from filip.models.base import FiwareLDHeader
from filip.models.ngsi_ld.context import ActionTypeLD, ContextLDEntity, ContextProperty
from filip.models.ngsi_ld.subscriptions import SubscriptionLD

url = f"http://127.0.0.1:{sys.argv[1]}"
if len(sys.argv) > 2:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {sys.argv[2]}"
    client = ContextBrokerLDClient(url=url, session=session)
    client.headers["Authorization"] = f"Bearer {sys.argv[2]}"
else:
    client = ContextBrokerLDClient(url=url, fiware_header=FiwareLDHeader(ngsild_tenant="filip"))

vessel = ContextLDEntity(
    id="urn:ngsi-ld:Vessel:f1", type="Vessel", speed={"type": "Property", "value": 12.5}
)
assert client.post_entity(vessel).endswith(vessel.id)
assert client.get_entity(vessel.id).speed.value == 12.5
assert len(client.get_entity_list(entity_type="Vessel")) == 1
assert len(client.get_entity_list(q="speed>10", entity_type="Vessel")) == 1
client.update_entity_attribute(
    vessel.id, ContextProperty(value=14, type="Property"), attr_name="speed"
)
assert client.get_entity(vessel.id).speed.value == 14
vessel.add_properties({"flag": ContextProperty(value="th")})
client.append_entity_attributes(vessel)
assert client.get_entity(vessel.id).flag.value == "th"
client.replace_existing_attributes_of_entity(vessel)
client.delete_attribute(vessel.id, "flag")
fleet = [
    ContextLDEntity(
        id=f"urn:ngsi-ld:Vessel:m{n}", type="Vessel", speed={"type": "Property", "value": n}
    )
    for n in range(5)
]
for action in (ActionTypeLD.CREATE, ActionTypeLD.UPSERT, ActionTypeLD.UPDATE):
    client.entity_batch_operation(entities=fleet, action_type=action)
assert len(client.get_entity_list(entity_type="Vessel")) == 6
client.entity_batch_operation(entities=fleet, action_type=ActionTypeLD.DELETE)
subscription = SubscriptionLD(
    id="urn:ngsi-ld:Subscription:f1",
    type="Subscription",
    entities=[{"type": "Vessel"}],
    notification={"endpoint": {"uri": "http://127.0.0.1:9/n", "accept": "application/json"}},
)
client.post_subscription(subscription)
assert [s.id for s in client.get_subscription_list()] == [subscription.id]
assert client.get_subscription(subscription.id).id == subscription.id
client.delete_subscription(subscription.id)
client.delete_entity_by_id(vessel.id)
assert client.get_entity_list(entity_type="Vessel") == []
sys.stdout.write("done\n")
