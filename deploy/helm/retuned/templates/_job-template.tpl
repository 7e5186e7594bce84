{{/* What a training has of the daemon's own additions, as JSON: nothing that may be a secret, and no settings. */}}
{{- define "retuned.jobs.inherited" -}}
{{- $env := list }}
{{- $envFrom := list }}
{{- $volumes := list }}
{{- $mounts := list }}
{{- if .Values.jobs.inheritExtra }}
{{- range .Values.extraEnv }}
{{- if and (not (hasPrefix "RETUNED_" .name)) (not (dig "valueFrom" "secretKeyRef" dict .)) }}
{{- $env = append $env . }}
{{- end }}
{{- end }}
{{- range .Values.extraEnvFrom }}
{{- if .configMapRef }}{{ $envFrom = append $envFrom . }}{{ end }}
{{- end }}
{{- $names := list }}
{{- range .Values.extraVolumes }}
{{- if not (or .secret .projected .csi) }}
{{- $volumes = append $volumes . }}
{{- $names = append $names .name }}
{{- end }}
{{- end }}
{{- range .Values.extraVolumeMounts }}
{{- if has .name $names }}{{ $mounts = append $mounts . }}{{ end }}
{{- end }}
{{- end }}
{{- toRawJson (dict "env" $env "envFrom" $envFrom "volumes" $volumes "mounts" $mounts) }}
{{- end }}

{{/* The pod template of a training's Job, for kubernetes.job_template. The daemon adds name, labels and arguments. Of a
TrainJob the volumes and the security of the container stand in the ClusterTrainingRuntime. */}}
{{- define "retuned.jobTemplate" -}}
{{- $train := eq "trainjob" (dig "kubernetes" "kind" "job" .Values.config) }}
{{- $inherited := include "retuned.jobs.inherited" . | fromJson }}
metadata:
  labels:
    {{- include "retuned.jobs.selectorLabels" . | nindent 4 }}
    {{- with .Values.jobs.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.jobs.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "retuned.jobs.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.jobs.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.jobs.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.jobs.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with .Values.jobs.schedulerName }}
  schedulerName: {{ . }}
  {{- end }}
  {{- with .Values.jobs.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.jobs.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.jobs.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "retuned.model.initContainer" . }}
  initContainers:
    {{- . | trim | nindent 4 }}
  {{- end }}
  containers:
    - name: trainer
      image: {{ include "retuned.jobs.image" . }}
      env:
        {{- $env := concat (include "retuned.commonEnv" . | fromYamlArray) $inherited.env .Values.jobs.extraEnv }}
        {{- include "retuned.uniqueEnv" $env | nindent 8 }}
      resources:
        {{- toYaml .Values.jobs.resources | nindent 8 }}
      {{- if not $train }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      {{- with concat (include "retuned.artifactsEnvFrom" . | fromYamlArray) $inherited.envFrom .Values.jobs.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "retuned.commonMounts" . | nindent 8 }}
        - name: work
          mountPath: /var/lib/retuned
        {{- with concat $inherited.mounts .Values.jobs.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
  volumes:
    {{- include "retuned.commonVolumes" . | nindent 4 }}
    - name: work
      emptyDir: {}
    {{- with concat $inherited.volumes .Values.jobs.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
