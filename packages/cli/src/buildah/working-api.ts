import type { WorkingView } from "@boxship/build";
import { ApiError, isNotFound } from "../api-client/api-error.ts";
import type { ApiOptions } from "../api-client/client.ts";
import type { Context } from "../context.ts";

const PATH = "/boxship/working-containers";

export function workingPath(name: string, rest = ""): string {
  return `${PATH}/${encodeURIComponent(name)}${rest}`;
}

/** A request about one working container; that there is none is told in buildah's words. */
export async function onWorking<T>(
  { api }: Context,
  method: string,
  name: string,
  rest = "",
  options: ApiOptions = {},
): Promise<T> {
  try {
    return await api.json<T>(method, workingPath(name, rest), options);
  } catch (error) {
    throw explained(error, name);
  }
}

export function explained(error: unknown, name: string): unknown {
  if (!isNotFound(error) || !(error instanceof ApiError) || error.reason !== `${name}: container not known`)
    return error;
  return new ApiError(error.httpStatus, `reading build container "${name}": container not known`, error.remedy);
}

export function listWorking({ api }: Context): Promise<readonly WorkingView[]> {
  return api.json("GET", PATH);
}

export function createWorking({ api }: Context, body: object): Promise<WorkingView> {
  return api.json("POST", PATH, { body });
}

/** An id as buildah prints it. */
export function bareId(id: string): string {
  return id.replace(/^sha256:/, "");
}
