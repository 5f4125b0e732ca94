import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain, pathSegment } from "../../validation/names.ts";

const LONGEST_CONTROLLER = 250;
const PATH = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

/** `example.com/controller` */
function checkController(found: Findings, field: string, controller: string): void {
  const slash = controller.indexOf("/");
  const [host, path] = [controller.slice(0, slash), controller.slice(slash + 1)];
  if (slash < 0 || host === "" || path === "") {
    found.invalid(field, controller, 'must be a domain-prefixed path (such as "acme.io/foo")');
    return;
  }
  found.name(dnsSubdomain, field, host);
  if (!PATH.test(path))
    found.invalid(field, path, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')");
}

/** An object of any kind, by name: `core/v1.TypedLocalObjectReference` and what is like it. */
export function checkReference(found: Findings, at: string, reference: Json): void {
  const group = valueAt(reference, "apiGroup");
  if (typeof group === "string") found.name(dnsSubdomain, `${at}.apiGroup`, group);
  for (const field of ["kind", "name"]) found.requiredName(pathSegment, `${at}.${field}`, textAt(reference, field));
}

function checkParameters(found: Findings, at: string, parameters: Json): void {
  checkReference(found, at, parameters);
  const [scope, namespace] = [valueAt(parameters, "scope"), valueAt(parameters, "namespace")];
  if (typeof scope !== "string") found.required(`${at}.scope`);
  else if (scope === "Namespace") {
    if (typeof namespace === "string") found.name(dnsLabel, `${at}.namespace`, namespace);
    else found.required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'");
  } else if (scope !== "Cluster") found.notSupported(`${at}.scope`, scope, ["Cluster", "Namespace"]);
  else if (typeof namespace === "string") found.forbidden(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'");
}

/** `networking/v1.IngressClass` */
export const ingressClass: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      const controller = textAt(spec, "controller");
      if (old !== undefined) found.immutable("spec.controller", controller, textAt(old, "spec", "controller"));
      if (controller === "") found.required("spec.controller");
      else {
        if (Buffer.byteLength(controller) > LONGEST_CONTROLLER) found.tooLong("spec.controller", LONGEST_CONTROLLER);
        checkController(found, "spec.controller", controller);
      }
      const parameters = valueAt(spec, "parameters");
      if (isObject(parameters)) checkParameters(found, "spec.parameters", parameters);
    }),
};
