/** A test run as users have it, in a process of its own: starts things, says what, and is killed in the middle. */

import { SERVICES_IMAGE } from "@boxship/testkit";
import { GenericContainer, Network, Wait } from "testcontainers";

const network = await new Network().start();
const cache = await new GenericContainer(SERVICES_IMAGE)
  .withCommand(["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"])
  .withNetwork(network)
  .withExposedPorts(6379)
  .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
  .start();
process.stdout.write(`${JSON.stringify({ network: network.getId(), container: cache.getId() })}\n`);
setInterval(() => {}, 1000);
