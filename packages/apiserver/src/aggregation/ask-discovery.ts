import { request } from "node:https";
import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import type { Extension } from "./extension.ts";
import { type ForwardTarget, identity } from "./forward-request.ts";

/** What the condition `Available` says. */
export interface Availability {
  readonly available: boolean;
  readonly reason: string;
  readonly message: string;
  /** What the server tells that it serves. */
  readonly resources?: readonly JsonObject[];
}

const TIMEOUT_MS = 5000;
const LONGEST_ANSWER = 4 * 1024 * 1024;
/** Who asks for the server itself. */
const AGGREGATOR = { name: "system:kube-aggregator", groups: ["system:masters"] };

/** Looks whether the server of an APIService is there: its service, its addresses, its discovery document. */
export async function askDiscovery(
  extension: Extension,
  targetOf: () => Promise<ForwardTarget>,
  { context, service }: { readonly context: ServerContext; readonly service: JsonObject },
): Promise<Availability> {
  const [name, namespace] = [textAt(service, "name"), textAt(service, "namespace")];
  const found = await readObject(context, "", "services", { name, namespace }).catch(() => undefined);
  if (found === undefined) {
    return unavailable("ServiceNotFound", `service/${name} in ${JSON.stringify(namespace)} is not present`);
  }
  const port = valueAt(service, "port");
  if (
    textAt(found, "spec", "type") !== "ExternalName" &&
    !listAt(found, "spec", "ports").some((one) => valueAt(one, "port") === port)
  ) {
    return unavailable(
      "ServicePortError",
      `service/${name} in ${JSON.stringify(namespace)} is not listening on port ${JSON.stringify(port)}`,
    );
  }
  let target: ForwardTarget;
  try {
    target = await targetOf();
  } catch {
    return unavailable(
      "MissingEndpoints",
      `endpointslices for service/${name} in ${JSON.stringify(namespace)} have no addresses`,
    );
  }
  const path = `/apis/${extension.group}/${extension.version}`;
  try {
    const document = await getJson(target, path);
    const resources = listAt(document, "resources").filter(isObject);
    return { available: true, reason: "Passed", message: "all checks passed", resources };
  } catch (error) {
    return unavailable(
      "FailedDiscoveryCheck",
      `failing or missing response from ${target.origin}${path}: ${errorMessage(error)}`,
    );
  }
}

const unavailable = (reason: string, message: string): Availability => ({ available: false, reason, message });

/** Asks for the server itself. @param longest bytes of an answer @throws whatever goes wrong, also for answers that are no JSON */
export function getJson(
  { origin, host, agent }: ForwardTarget,
  path: string,
  longest: number = LONGEST_ANSWER,
): Promise<Json> {
  return new Promise((resolve, reject) => {
    const headers = { ...identity(AGGREGATOR), host, accept: "application/json" };
    const asked = request(`${origin}${path}`, { agent, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    asked.once("error", reject);
    asked.once("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > longest) asked.destroy(new Error(`the answer is longer than ${longest} bytes`));
        else chunks.push(chunk);
      });
      response.once("error", reject);
      response.once("end", () => {
        const { statusCode = 0 } = response;
        if (statusCode < 200 || statusCode >= 300) reject(new Error(`bad status from the server: ${statusCode}`));
        else {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString()) as Json);
          } catch (error) {
            reject(error);
          }
        }
      });
    });
    asked.end();
  });
}
