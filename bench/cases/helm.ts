import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { defaultCapabilities, loadChart, renderChart } from "@boxship/helm";
import { runProgram, tempDir } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";
import { releaseBuild } from "../release-build.ts";

const SUBCHARTS = 5;
const TEMPLATES = 60;

/** One object of some fifty lines with what charts are made of. */
const template = (index: number): string => `{{- if .Values.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "name" . }}-${index}
  labels:
    {{- include "labels" . | nindent 4 }}
  {{- with .Values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  replicas: {{ .Values.replicas | default 1 }}
  selector:
    matchLabels:
      {{- include "labels" . | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum: {{ toJson .Values | sha256sum }}
      labels:
        {{- include "labels" . | nindent 8 }}
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          env:
            {{- range $key, $value := .Values.env }}
            - name: {{ $key | upper | replace "-" "_" }}
              value: {{ $value | quote }}
            {{- end }}
          {{- if semverCompare ">=1.20-0" .Capabilities.KubeVersion.Version }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          {{- end }}
{{- end }}
`;

const HELPERS = `{{- define "name" -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end }}
{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
`;

const VALUES = `enabled: true
image: {repository: web}
annotations: {one: "1", two: "2"}
resources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 50m, memory: 64Mi}}
env: {${Array.from({ length: 20 }, (_, at) => `key-${at}: value ${at}`).join(", ")}}
`;

function writeChart(folder: string): void {
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const charts = ["", ...Array.from({ length: SUBCHARTS }, (_, at) => `charts/sub${at}/`)];
  for (const [at, path] of charts.entries()) {
    put(
      `${path}Chart.yaml`,
      `{apiVersion: v2, name: ${at === 0 ? "main" : `sub${at - 1}`}, version: 1.0.0, appVersion: "2"}\n`,
    );
    put(`${path}values.yaml`, VALUES);
    put(`${path}templates/_helpers.tpl`, HELPERS);
    for (let one = 0; one < TEMPLATES / charts.length; one++) put(`${path}templates/t${one}.yaml`, template(one));
  }
}

async function render(folder: string): Promise<number> {
  const release = { name: "bench", namespace: "default", revision: 1, isUpgrade: false };
  const chart = await loadChart(folder);
  const { manifests } = await renderChart(
    chart,
    {},
    { release, capabilities: defaultCapabilities, warn: () => undefined },
  );
  return manifests.reduce((sum, { content }) => sum + content.split("\n").length, 0);
}

const renderBenchmark: Benchmark<Context> = {
  name: "helm-render",
  title: "render a chart of 60 templates and 5 subcharts to 3,000 lines, in a warm process",
  unit: "ms",
  warmUp: 20,
  targets: [{ side: "boxship", atMost: 60 }],
  async prepare(_context, stack) {
    const folder = stack.use(tempDir("helm-bench"));
    writeChart(folder.path);
    const lines = await render(folder.path);
    if (lines < 3000) throw new Error(`the chart gives only ${lines} lines`);
    const measure = async (): Promise<number> => {
      const began = performance.now();
      await render(folder.path);
      return performance.now() - began;
    };
    return [{ name: "boxship", measure }];
  },
};

const CHARTS = 500;

const growthBenchmark: Benchmark<Context> = {
  name: "helm-growth",
  title: "memory after 500 charts in a row that was not there after 100",
  unit: "MB",
  rounds: 1,
  warmUp: 0,
  targets: [{ side: "boxship", atMost: 10 }],
  async prepare(_context, stack) {
    const folder = stack.use(tempDir("helm-bench"));
    writeChart(folder.path);
    const heap = (): number => {
      globalThis.gc?.();
      return process.memoryUsage().heapUsed / 2 ** 20;
    };
    const measure = async (): Promise<number> => {
      const { setFlagsFromString } = await import("node:v8");
      setFlagsFromString("--expose-gc");
      const { runInNewContext } = await import("node:vm");
      globalThis.gc = runInNewContext("gc") as typeof globalThis.gc;
      for (let at = 0; at < CHARTS / 5; at++) await render(folder.path);
      const before = heap();
      for (let at = CHARTS / 5; at < CHARTS; at++) await render(folder.path);
      return Math.max(0, heap() - before);
    };
    return [{ name: "boxship", measure }];
  },
};

const commandBenchmark: Benchmark<Context> = {
  name: "helm-template",
  title: "helm template of a new chart from the shell",
  unit: "ms",
  warmUp: 2,
  targets: [{ side: "boxship", atMost: 150 }],
  async prepare(_context, stack) {
    const release = await releaseBuild();
    const folder = stack.use(tempDir("helm-bench"));
    const run = async (...words: readonly string[]): Promise<void> => {
      const { status, stderr } = await runProgram([release, "helm", ...words]);
      if (status !== 0) throw new Error(stderr);
    };
    await run("create", folder.join("web"));
    const measure = async (): Promise<number> => {
      const began = performance.now();
      await run("template", "r", folder.join("web"));
      return performance.now() - began;
    };
    return [{ name: "boxship", measure }];
  },
};

export const helmBenchmarks: readonly Benchmark<Context>[] = [renderBenchmark, growthBenchmark, commandBenchmark];
