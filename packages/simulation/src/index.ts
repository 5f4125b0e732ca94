export { describeFault, type Fault, planFaults } from "./faults.ts";
export { drawReport, printReport } from "./report.ts";
export { type Load, nodesOf, readScenario, sampleLoad } from "./scenario.ts";
export { shrinkFaults } from "./shrink.ts";
export { type Outcome, type Sample, type SimulationOptions, simulate } from "./simulate.ts";
export { variedLoad } from "./varied-load.ts";
