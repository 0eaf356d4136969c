# Five roles. What ECS itself needs to start a task is its execution role; what the program in it may
# do is the task role, and a build has none.

data "aws_caller_identity" "me" {}
data "aws_partition" "here" {}

locals {
  account = data.aws_caller_identity.me.account_id
  arn     = "arn:${data.aws_partition.here.partition}"
  images  = { control = "server", edge = "server", build = "builder" }
  readable = {
    control = [[var.secrets.control, var.secrets.redis_control]]
    edge    = [compact([var.secrets.edge, var.secrets.redis_edge, var.secrets.edge_token])]
    build   = []
  }
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    # Nobody else's ECS takes the role in our name.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local.arn}:ecs:${var.region}:${local.account}:*"]
    }
  }
}

# --- Execution roles: pull the image, write the log, hand over the secrets of this kind of task alone.

resource "aws_iam_role" "execution" {
  for_each           = local.images
  name               = "${var.name}-${each.key}-execution"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "execution" {
  for_each = local.images
  statement {
    actions   = ["ecr:GetAuthorizationToken"] # knows no resources
    resources = ["*"]
  }
  statement {
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    resources = [aws_ecr_repository.image[each.value].arn]
  }
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.task[each.key].arn}:*"]
  }
  dynamic "statement" {
    for_each = local.readable[each.key]
    content {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }
}

resource "aws_iam_role_policy" "execution" {
  for_each = local.images
  name     = "execution"
  role     = aws_iam_role.execution[each.key].id
  policy   = data.aws_iam_policy_document.execution[each.key].json
}

# --- Task roles

resource "aws_iam_role" "task" {
  for_each           = toset(["control", "edge"])
  name               = "${var.name}-${each.value}"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "control" {
  statement {
    sid       = "Objects"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = [for p in ["blobs", "manifests", "sources", "logs", "feed", "certs"] : "${aws_s3_bucket.sites.arn}/${p}/*"]
  }
  # Without it S3 says of what is absent that it is forbidden. A condition on the prefix would not hold
  # for that, since asking for an object names none.
  statement {
    sid       = "WhatIsThere"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.sites.arn]
  }
  statement {
    sid       = "StartBuilds"
    actions   = ["ecs:RunTask"]
    resources = ["${local.arn}:ecs:${var.region}:${local.account}:task-definition/${aws_ecs_task_definition.build.family}:*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.builds.arn]
    }
  }
  statement {
    sid       = "WatchAndEndBuilds"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = ["${local.arn}:ecs:${var.region}:${local.account}:task/${aws_ecs_cluster.builds.name}/*"]
  }
  statement {
    sid       = "FindBuilds"
    actions   = ["ecs:ListTasks"]
    resources = ["*"] # of container instances, which Fargate has not
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.builds.arn]
    }
  }
  statement {
    sid       = "LetBuildsBePulled"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.execution["build"].arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
  # The wildcard certificate is proved by one TXT record.
  statement {
    sid       = "ProveTheDomain"
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = ["${local.arn}:route53:::hostedzone/${var.zone_id}"]
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
      values   = ["_acme-challenge.${var.domain}"]
    }
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "route53:ChangeResourceRecordSetsRecordTypes"
      values   = ["TXT"]
    }
  }
  statement {
    sid       = "ReadTheZone"
    actions   = ["route53:ListResourceRecordSets"]
    resources = ["${local.arn}:route53:::hostedzone/${var.zone_id}"]
  }
  statement {
    sid       = "FindTheZone"
    actions   = ["route53:ListHostedZonesByName", "route53:GetChange"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "edge" {
  statement {
    sid       = "ReadSites"
    actions   = ["s3:GetObject"]
    resources = [for p in ["blobs", "manifests", "feed", "certs"] : "${aws_s3_bucket.sites.arn}/${p}/*"]
  }
  statement {
    sid       = "WhatIsThere"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.sites.arn]
  }
}

resource "aws_iam_role_policy" "task" {
  for_each = { control = data.aws_iam_policy_document.control.json, edge = data.aws_iam_policy_document.edge.json }
  name     = "fairway"
  role     = aws_iam_role.task[each.key].id
  policy   = each.value
}
