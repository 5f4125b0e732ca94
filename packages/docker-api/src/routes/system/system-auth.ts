import { PermissionDenied } from "@boxship/base";
import { defineRoute, ok } from "../../http/route.ts";
import { decodeBody } from "../../wire/codec.ts";
import { registryAuth } from "../../wire/registry-auth.ts";

const DEFAULT_REGISTRY = "docker.io";
/** How the command line names the public registry since its first version. */
const LEGACY_REGISTRY = /^https?:\/\/(?:index|registry-1)\.docker\.io(?:\/.*)?$/;

export const systemAuth = defineRoute({
  method: "POST",
  path: "/auth",
  doc: {
    state: "works",
    details: { email: { state: "differs", note: "passed over: registries have not asked for it since 2015" } },
  },
  body: (body, context) => decodeBody(registryAuth, body, context),
  handle: async ({ engine }, { body: { serverAddress = "", ...credentials } }) => {
    const registry = serverAddress === "" || LEGACY_REGISTRY.test(serverAddress) ? DEFAULT_REGISTRY : serverAddress;
    try {
      const { status, identityToken = "" } = await engine.system.login(registry, credentials);
      return ok({ Status: status, IdentityToken: identityToken });
    } catch (error) {
      if (error instanceof PermissionDenied) return { status: 401, json: { message: error.message } };
      throw error;
    }
  },
});
