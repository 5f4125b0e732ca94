import type { RegistryImage } from "@boxship/engine";
import type { ApiCall } from "../../http/call.ts";
import { credentialsFromHeader } from "../../wire/registry-auth.ts";
import { inRegistrysWords } from "../image/registry-words.ts";

/** The image of the path's name in its registry, with the request's credentials. */
export async function remoteImage(call: ApiCall): Promise<RegistryImage> {
  const credentials = credentialsFromHeader(call.request.headers["x-registry-auth"]);
  const options = { credentials, signal: call.signal };
  try {
    return await call.engine.images.inspectRemote(call.param("name"), options);
  } catch (error) {
    throw inRegistrysWords(error);
  }
}
