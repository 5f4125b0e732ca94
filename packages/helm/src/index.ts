export { type Chart, type ChartFile } from "./chart/chart.ts";
export { loadArchive, loadChart } from "./chart/load-chart.ts";
export { completeHelm } from "./complete-helm.ts";
export { type Capabilities, defaultCapabilities } from "./engine/capabilities.ts";
export { helmFunctions } from "./functions/sprig-functions.ts";
export { manifestText, type RenderedChart, renderChart } from "./release/render-chart.ts";
export { runHelm } from "./run-helm.ts";
export { readValues, type ValueOptions } from "./values/read-values.ts";
