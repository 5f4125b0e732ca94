import { silentLogger as logger } from "@boxship/base";
import { loadKubeconfig, openHttpClient } from "@boxship/client";
import { DEFINITIONS, runControllers } from "@boxship/controllers";

/** All controllers in a process of their own, until its parent has gone: tells it when they know what is there. */
const [kubeconfig = ""] = process.argv.slice(2);
await using client = openHttpClient((await loadKubeconfig(kubeconfig)).connection);
await using controllers = runControllers({ client, definitions: DEFINITIONS, logger });
await controllers.ready;
process.send?.("ready");
await new Promise((resolve) => process.once("disconnect", resolve));
