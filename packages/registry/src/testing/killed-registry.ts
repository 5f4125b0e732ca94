import { createLogger } from "@boxship/base";
import { openRegistry } from "../open-registry.ts";

/** A registry in a process of its own: `node killed-registry.ts ROOT`. It says its port, and collects when it is told to. */
const [, , root = ""] = process.argv;
const registry = await openRegistry({ root, logger: createLogger({ write: () => {} }) });
const { server } = registry;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" ? address?.port : 0}\n`);
});
process.on("message", () => {
  // What a grace of nothing would take from pushes that go on is kept by a short one.
  void registry.collectGarbage({ grace: 2000, untagged: true }).then(() => process.send?.("collected"));
});
