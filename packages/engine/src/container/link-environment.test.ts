import assert from "node:assert/strict";
import { test } from "node:test";
import { linkEnvironment } from "./link-environment.ts";

test("a link on the default bridge is told by variables, as Docker sets them", () => {
  const link = {
    alias: "my-db",
    address: "172.17.0.2",
    exposedPorts: ["5432/tcp", "53/udp", "5433/tcp", "5434/tcp"],
    env: ["PATH=/bin", "HOME=/root", "POSTGRES_DB=x=y"],
  };
  assert.deepEqual(linkEnvironment({ name: "web" }, [link]), [
    "MY_DB_PORT=udp://172.17.0.2:53",
    "MY_DB_PORT_5432_TCP_START=tcp://172.17.0.2:5432",
    "MY_DB_PORT_5432_TCP_ADDR=172.17.0.2",
    "MY_DB_PORT_5432_TCP_PROTO=tcp",
    "MY_DB_PORT_5432_TCP_PORT_START=5432",
    "MY_DB_PORT_5432_TCP_END=tcp://172.17.0.2:5434",
    "MY_DB_PORT_5432_TCP_PORT_END=5434",
    "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
    "MY_DB_PORT_53_UDP_ADDR=172.17.0.2",
    "MY_DB_PORT_53_UDP_PORT=53",
    "MY_DB_PORT_53_UDP_PROTO=udp",
    "MY_DB_PORT_5432_TCP=tcp://172.17.0.2:5432",
    "MY_DB_PORT_5432_TCP_ADDR=172.17.0.2",
    "MY_DB_PORT_5432_TCP_PORT=5432",
    "MY_DB_PORT_5432_TCP_PROTO=tcp",
    "MY_DB_PORT_5433_TCP=tcp://172.17.0.2:5433",
    "MY_DB_PORT_5433_TCP_ADDR=172.17.0.2",
    "MY_DB_PORT_5433_TCP_PORT=5433",
    "MY_DB_PORT_5433_TCP_PROTO=tcp",
    "MY_DB_PORT_5434_TCP=tcp://172.17.0.2:5434",
    "MY_DB_PORT_5434_TCP_ADDR=172.17.0.2",
    "MY_DB_PORT_5434_TCP_PORT=5434",
    "MY_DB_PORT_5434_TCP_PROTO=tcp",
    "MY_DB_NAME=/web/my-db",
    "MY_DB_ENV_POSTGRES_DB=x=y",
  ]);
  assert.deepEqual(linkEnvironment({ name: "web" }, []), []);
});
