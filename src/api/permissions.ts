/** The ten permissions that a robot account can have. What each allows is up to the registry. */
export const permissions = [
  'PushArtifacts',
  'PullArtifacts',
  'DeleteArtifacts',
  'ReadHelmCharts',
  'CreateHelmChartVersion',
  'DeleteHelmChartVersion',
  'CreateTag',
  'DeleteTag',
  'CreateArtifactLabels',
  'CreateScan',
] as const;
export type Permission = (typeof permissions)[number];

/** Every project, and the only one that reaches a repository whose name has a single segment. */
export const everyProject = '*';
