// What somebody does with ngsijs. Run by Node: folder of the module, port, token.
const [, , home, port, token] = process.argv;
const assert = require("node:assert");
const NGSI = require(`${home}/node_modules/ngsijs`);

const headers = token ? { Authorization: `Bearer ${token}` } : {};
const connection = new NGSI.Connection(`http://127.0.0.1:${port}/`, {
    request_headers: headers,
});
const ld = connection.ld;
const id = "urn:ngsi-ld:Vessel:j1";
const entity = {
    id,
    type: "Vessel",
    speed: { type: "Property", value: 12.5 },
    "@context": "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
};

(async () => {
    await ld.createEntity(entity);
    const got = await ld.getEntity(id);
    assert.strictEqual(got.entity.speed.value, 12.5);
    const listed = await ld.queryEntities({ type: "Vessel", q: "speed>10", count: true });
    assert.strictEqual(listed.results.length, 1);
    assert.strictEqual(listed.count, 1);
    await ld.updateEntityAttributes({ id, speed: { type: "Property", value: 14 } });
    assert.strictEqual((await ld.getEntity(id)).entity.speed.value, 14);
    await ld.appendEntityAttributes({ id, flag: { type: "Property", value: "th" } });
    await ld.deleteEntityAttribute({ id, attribute: "flag" });
    const types = await ld.listTypes();
    assert.ok(JSON.stringify(types).includes("Vessel"));
    const subscription = {
        id: "urn:ngsi-ld:Subscription:j1",
        type: "Subscription",
        entities: [{ type: "Vessel" }],
        notification: { endpoint: { uri: "http://127.0.0.1:9/n" } },
        "@context": "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
    };
    await ld.createSubscription(subscription);
    assert.strictEqual((await ld.listSubscriptions()).results.length, 1);
    assert.strictEqual((await ld.getSubscription(subscription.id)).subscription.id, subscription.id);
    await ld.deleteSubscription(subscription.id);
    const history = await ld.queryTemporalEntities({
        type: "Vessel",
        timerel: "after",
        timeAt: "2020-01-01T00:00:00Z",
    });
    assert.strictEqual(history.results[0].id, id);
    await ld.createTemporalEntity({
        id: "urn:ngsi-ld:Vessel:t1",
        type: "Vessel",
        speed: [{ type: "Property", value: 1, observedAt: "2020-01-01T00:00:00Z" }],
        "@context": entity["@context"],
    });
    await ld.deleteTemporalEntity("urn:ngsi-ld:Vessel:t1");
    await ld.deleteEntity(id);
    console.log("done");
    process.exit(0);
})().catch((error) => {
    console.error(error);
    process.exit(1);
});
