import { type Call, json } from "../http/call.ts";

/** `GET /v2/`: clients ask it whether this is a registry, and whether they may come in. */
export async function version(call: Call): Promise<void> {
  await call.allow("pull", "");
  json(call, {});
}
