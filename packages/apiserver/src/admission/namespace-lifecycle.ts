import { forbidden, notFound, textAt } from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";

const NEVER_DELETED = new Set(["default", "kube-system", "kube-public"]);

/** Nothing is made in a namespace that does not exist or is going, and three namespaces are never deleted. */
export function namespaceLifecycle(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "NamespaceLifecycle",
    // Before anything looks for what only a namespace has.
    async mutate(request) {
      const { kind, operation, name } = request;
      const isNamespace = kind.group === "" && kind.resource === "namespaces";
      if (isNamespace && operation === "DELETE" && NEVER_DELETED.has(name)) {
        throw forbidden(kind, name, "this namespace may not be deleted");
      }
      if (operation === "CREATE" && kind.namespaced) await checkNamespace(context(), request);
    },
  };
}

async function checkNamespace(
  { kinds, objects }: ServerContext,
  { kind, namespace, name }: AdmissionRequest,
): Promise<void> {
  const namespaces = kinds.find("", "v1", "namespaces");
  if (namespaces === undefined) return;
  const found = await objects.recent(namespaces, "", namespace);
  if (found === undefined) throw notFound(namespaces, namespace);
  // A look at the bytes is enough to know that it stays: most do.
  if (!found.bytes.includes("deletionTimestamp")) return;
  const object = found.parse();
  if (object.metadata.deletionTimestamp !== undefined || textAt(object, "status", "phase") === "Terminating") {
    throw forbidden(
      kind,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    );
  }
}
