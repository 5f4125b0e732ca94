const PREFIXES: readonly (readonly [short: string, full: string])[] = [
  ["apiextensions.", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."],
  ["apiregistration.", "io.k8s.kube-aggregator.pkg.apis.apiregistration."],
  ["intstr.", "io.k8s.apimachinery.pkg.util.intstr."],
  ["meta.", "io.k8s.apimachinery.pkg.apis.meta."],
  ["resource.Quantity", "io.k8s.apimachinery.pkg.api.resource.Quantity"],
  ["runtime.", "io.k8s.apimachinery.pkg.runtime."],
  ["version.", "io.k8s.apimachinery.pkg.version."],
];

/** The name that a built-in definition has in OpenAPI documents. */
export function openapiName(name: string): string {
  for (const [short, full] of PREFIXES) if (name.startsWith(short)) return full + name.slice(short.length);
  return `io.k8s.api.${name}`;
}

/** The name of a custom kind's definition: its group turned around. */
export function customName(group: string, version: string, kind: string): string {
  return [...group.split(".").reverse(), version, kind].join(".");
}
