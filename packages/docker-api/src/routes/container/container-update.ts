import type { RestartPolicy } from "@boxship/engine";
import { defineRoute, ok } from "../../http/route.ts";
import { type DecodeContext, decodeBody, isObject } from "../../wire/codec.ts";
import { UPDATE_REFUSED } from "../../wire/host-config.ts";
import { resources } from "../../wire/resources.ts";
import { restartPolicy } from "../../wire/restart-policy.ts";

/** An update that names no policy leaves it as it is. */
function policyOf(body: unknown, context: DecodeContext): { readonly restartPolicy?: RestartPolicy } {
  const raw = property(body, "restartpolicy");
  const name = property(raw, "name");
  if (name === undefined || name === null || name === "") return {};
  return { restartPolicy: restartPolicy.decode(raw, { struct: "UpdateConfig", field: "RestartPolicy" }, context) };
}

/** A property by its name in lower case, whatever case it is written in. */
function property(value: unknown, name: string): unknown {
  return isObject(value) ? Object.entries(value).find(([key]) => key.toLowerCase() === name)?.[1] : undefined;
}

export const containerUpdate = defineRoute({
  method: "POST",
  path: "/containers/{id}/update",
  doc: { state: "differs", note: "devices, ulimits and cgroup parent cannot change and are refused by name" },
  body: (body, context) => {
    decodeBody(UPDATE_REFUSED, body, context);
    const limits = decodeBody(resources, body, context);
    return {
      change: {
        ...(Object.keys(limits).length === 0 ? {} : { resources: limits }),
        ...policyOf(body, context),
      },
      warnings: context.warnings,
    };
  },
  handle: async (call, { body: { change, warnings } }) => {
    const result = await call.engine.containers.update(call.param("id"), change);
    const all = [...warnings, ...result.warnings];
    return ok({ Warnings: all.length === 0 ? null : all });
  },
});
