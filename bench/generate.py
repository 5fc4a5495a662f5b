#!/usr/bin/env python3
"""Writes a tree of manifests to measure reading with.

    bench/generate.py DIR [FILES] [OBJECTS_PER_FILE]

By default 4,000 files of 4 objects: about 10 MB. A namespace holds 40 workloads; each file is
one workload: a Deployment, its Service, its ConfigMap, its HorizontalPodAutoscaler. With more
objects a file the four kinds repeat. The same arguments give the same bytes.
"""

import pathlib
import sys

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  annotations:
    example.com/owner: "team: payments & checkout <payments@example.com>"
    example.com/description: >-
      Serves {name}. Its neighbours in {namespace} call it over HTTP;
      it keeps its state in PostgreSQL and its pictures in object storage.
  labels: &labels
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: shop   # the product
spec:
  replicas: {replicas}
  selector:
    matchLabels: *labels
  template:
    metadata:
      labels: *labels
    spec:
      containers:
        - name: app
          image: "registry.example.com/{name}:1.{index}.0"
          args: ["--listen=:8080", "--config=/etc/{name}/config.yaml"]
          ports:
            - containerPort: 8080
              name: http
          env:
            - name: DATABASE_HOST
              value: postgres.{namespace}.svc
            - name: DATABASE_PASSWORD
              valueFrom:
                secretKeyRef: {{name: {name}-db, key: password}}
          envFrom:
            - configMapRef:
                name: {name}-config
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{memory: 256Mi}}
          readinessProbe:
            httpGet: {{path: /healthz, port: http}}
            periodSeconds: 10
          securityContext:
            runAsNonRoot: true
            allowPrivilegeEscalation: false
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: http
      port: 80
      targetPort: http
"""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}-config
  namespace: {namespace}
data:
  LOG_LEVEL: info
  ALLOW_UNKNOWN_API_PATHS: "false"
  S3_ENDPOINT: https://storage.example.com
  config.yaml: |
    listen: 8080
    pool:
      size: {replicas}
      timeout: 30s
    features: [search, checkout, recommendations]
"""

AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {name}
  namespace: {namespace}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {name}
  minReplicas: 3
  maxReplicas: 10
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {{type: Utilization, averageUtilization: 80}}
"""

KINDS = [DEPLOYMENT, SERVICE, CONFIG_MAP, AUTOSCALER]


def main() -> None:
    """Writes the tree."""
    root = pathlib.Path(sys.argv[1])
    files = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    objects = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    for number in range(files):
        namespace = f"team-{number // 40:03}"
        documents = []
        for position in range(objects):
            index = (number * objects + position) // len(KINDS)
            document = KINDS[position % len(KINDS)].format(
                name=f"service-{index:05}", namespace=namespace, index=index, replicas=1 + index % 5
            )
            documents.append(document)
        path = root / namespace / f"service-{number:05}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("---\n".join(documents), encoding="utf-8")


if __name__ == "__main__":
    main()
