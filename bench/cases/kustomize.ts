import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildKustomization } from "@boxship/kustomize";
import { kubernetesProgram, runProgram } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";

const GROUPS = 250;

const group = (at: number): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web-${at}, labels: {app: web-${at}}}
spec:
  selector: {matchLabels: {app: web-${at}}}
  template:
    metadata: {labels: {app: web-${at}}}
    spec:
      containers:
      - name: web
        image: nginx:1.${at}
        ports: [{containerPort: 80}]
        env: [{name: A, valueFrom: {configMapKeyRef: {name: conf-${at}, key: a}}}]
        envFrom: [{secretRef: {name: keys-${at}}}]
---
apiVersion: v1
kind: Service
metadata: {name: web-${at}}
spec: {selector: {app: web-${at}}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf-${at}}
data: {a: b, text: "several words"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys-${at}}
stringData: {k: v}
`;

/** 1,000 objects through a prefix, a namespace, labels and images; kubectl's builder with its own start. */
export const kustomizeBenchmark: Benchmark<Context> = {
  name: "kustomize",
  title: "kustomization of 1,000 objects, built",
  unit: "ms",
  rounds: 3,
  targets: [{ side: "boxship", against: "kubectl", atMost: 1 }],
  async prepare({ work }) {
    const kubectl = kubernetesProgram("kubectl");
    if (kubectl === undefined) throw new Error("no kubectl: run scripts/setup.sh test");
    const folder = work.join("kustomization");
    await mkdir(join(folder, "base"), { recursive: true });
    const objects = Array.from({ length: GROUPS }, (_, at) => group(at)).join("---\n");
    await writeFile(join(folder, "base/all.yaml"), objects);
    await writeFile(join(folder, "base/kustomization.yaml"), "resources: [all.yaml]\n");
    const overlay = "labels: [{pairs: {team: a}, includeSelectors: true}]\nimages: [{name: nginx, newTag: '2'}]\n";
    await writeFile(
      join(folder, "kustomization.yaml"),
      `resources: [base]\nnamePrefix: x-\nnamespace: shop\n${overlay}`,
    );
    const timed = async (build: () => Promise<string>): Promise<number> => {
      const start = performance.now();
      const text = await build();
      if (text.split("\n---\n").length !== GROUPS * 4) throw new Error("not every object came out");
      return performance.now() - start;
    };
    return [
      { name: "boxship", measure: () => timed(() => buildKustomization(folder)) },
      { name: "kubectl", measure: () => timed(async () => (await runProgram([kubectl, "kustomize", folder])).stdout) },
    ];
  },
};
