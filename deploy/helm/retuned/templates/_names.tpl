{{/* Names and labels of the resources. */}}

{{- define "retuned.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 46 characters, so that the names made from it stay within 63. */}}
{{- define "retuned.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 46 | trimSuffix "-" }}
{{- else if contains (include "retuned.name" .) .Release.Name }}
{{- .Release.Name | trunc 46 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "retuned.name" .) | trunc 46 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "retuned.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "retuned.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "retuned.jobs.serviceAccountName" -}}
{{- if .Values.jobs.serviceAccount.create }}
{{- default (printf "%s-training" (include "retuned.fullname" .)) .Values.jobs.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.jobs.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image's reference. Takes a dict of root and image. */}}
{{- define "retuned.reference" -}}
{{- $repository := .image.repository }}
{{- with .image.registry }}{{ $repository = printf "%s/%s" . $repository }}{{ end }}
{{- if .image.digest }}
{{- printf "%s@%s" $repository .image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion .image.tag) }}
{{- end }}
{{- end }}

{{- define "retuned.image" -}}
{{- include "retuned.reference" (dict "root" . "image" .Values.image) }}
{{- end }}

{{/* A digest names the daemon's image alone, so a tag of the Jobs' own goes without it. */}}
{{- define "retuned.jobs.image" -}}
{{- $own := .Values.jobs.image }}
{{- $image := deepCopy .Values.image }}
{{- if or $own.tag $own.repository }}{{ $_ := unset $image "digest" }}{{ end }}
{{- range $name, $value := $own }}
{{- if $value }}{{ $_ := set $image $name $value }}{{ end }}
{{- end }}
{{- include "retuned.reference" (dict "root" . "image" $image) }}
{{- end }}

{{/* Labels that every resource has. */}}
{{- define "retuned.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "retuned.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels by which the daemon's pods are found. The Jobs' pods have another component. */}}
{{- define "retuned.selectorLabels" -}}
app.kubernetes.io/name: {{ include "retuned.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: daemon
{{- end }}

{{- define "retuned.jobs.selectorLabels" -}}
app.kubernetes.io/name: {{ include "retuned.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: training
{{- end }}

{{/* Metadata of a resource. Takes a dict of root, name, and optionally namespace, labels and annotations. */}}
{{- define "retuned.metadata" -}}
name: {{ .name }}
namespace: {{ default .root.Release.Namespace .namespace }}
labels:
  {{- mergeOverwrite (include "retuned.labels" .root | fromYaml) (default dict .labels) | toYaml | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
